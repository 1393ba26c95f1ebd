import Testing

@testable import MILEngine

/// Every type that a weight file can hold, from the file to numbers, and its literals.
@Suite struct WeightTypeTests {
  private let folder = TemporaryFolder()

  static let types = BlobFormat.codes.keys.sorted { $0.rawValue < $1.rawValue }

  /// Nine elements: each type has some that end within a byte.
  private static let count = 9

  private func image(_ dtype: DType) -> [UInt8] {
    let size = TensorType(dtype, [Self.count]).packedSize!
    var bytes = (0..<size.bytes).map { UInt8(truncatingIfNeeded: 37 &* $0 &+ 11) }
    bytes[size.bytes - 1] &= UInt8.max >> UInt8(size.paddingBits)
    return bytes
  }

  @Test(arguments: types) func aRecordIsAConstant(_ dtype: DType) throws {
    var writer = BlobWriter()
    _ = try writer.append(TensorType(.fp16, [1]), [0, 60])
    let offset = try writer.append(TensorType(dtype, [Self.count]), image(dtype))
    folder.write(writer.image, to: "w.bin")
    let type = "tensor<\(dtype.rawValue), [\(Self.count)]>"
    let place = "BLOBFILE(path = string(\"@model_path/w.bin\"), offset = uint64(\(offset)))"
    let text = program(
      "\(type) w = const()[val = \(type)(\(place))];\nfp16 y = relu(x = x);", inputs: "fp16 x",
      out: "y")
    let tree = try Parser.parse(text)
    let checked = try Checker.check(tree, modelDirectory: folder.path)
    let value = try #require(checked.functions[0].values.first { $0.name == "w" })
    #expect(value.constant == .blob(path: "w.bin", offset: offset))
    #expect(try Parser.parse(tree.text()).text() == tree.text())
    let short = text.replacing("[\(Self.count)]", with: "[\(Self.count + 8)]")
    #expect(faults(short, modelDirectory: folder.path).map(\.rule) == ["blob"])
  }

  /// The numbers of a stored tensor, written as a literal, are the same bits again.
  @Test(arguments: types) func aLiteralHoldsTheSameBits(_ dtype: DType) throws {
    let type = TensorType(dtype, [Self.count])
    let bytes = image(dtype)
    let numbers = try #require(ConstantValue(type: type, bytes: bytes)?.numbers)
    guard numbers.allSatisfy(\.isFinite) else { return }
    let written = dtype.isFloat ? literal(numbers) : "\(numbers.map { Int64($0) })"
    let text = "tensor<\(dtype.rawValue), [\(Self.count)]>"
    let checked = try Checker.check(
      Parser.parse(
        program(
          "\(text) w = const()[val = \(text)(\(written))];\nfp16 y = relu(x = x);",
          inputs: "fp16 x", out: "y")), modelDirectory: nil)
    let value = try #require(checked.functions[0].values.first { $0.name == "w" })
    #expect(value.constant == .bytes(bytes))
  }

  /// What both float formats of eight bits hold, by their definition.
  @Test func floatsOfEightBits() {
    func number(_ bits: UInt64, _ dtype: DType) -> Double { dtype.number(bits: bits) }
    #expect(number(0x38, .fp8e4m3fn) == 1 && number(0x7E, .fp8e4m3fn) == 448)
    #expect(number(0x01, .fp8e4m3fn) == 0x1p-9 && number(0xB8, .fp8e4m3fn) == -1)
    #expect(number(0x7F, .fp8e4m3fn).isNaN && number(0xFF, .fp8e4m3fn).isNaN)
    #expect(number(0x3C, .fp8e5m2) == 1 && number(0x7B, .fp8e5m2) == 57344)
    #expect(number(0x7C, .fp8e5m2) == .infinity && number(0x7D, .fp8e5m2).isNaN)
    for dtype in [DType.fp8e4m3fn, .fp8e5m2] {
      let format = dtype.floatFormat!
      for bits in UInt64(0)...0xFF where number(bits, dtype).isFinite {
        let text = NumberText(format.hexText(bits))
        #expect(text.map { format.bits(of: $0.value) } == bits, "\(dtype) \(bits)")
      }
      #expect(format.hexText(format.quietNaN) == "nan")
    }
    // Past the largest number there is no infinity.
    let large = NumberText("1000")!
    #expect(DType.fp8e4m3fn.floatFormat!.bits(of: large.value) == 0x7F)
    #expect(NumberText("450").map { DType.fp8e4m3fn.floatFormat!.bits(of: $0.value) } == 0x7E)
  }

  /// Records that follow each other without gaps, with a count of one, as some writers leave them.
  @Test func recordsMayStandBackToBack() throws {
    var image = BlobWriter().image
    image[0] = 1
    var offsets: [UInt64] = []
    for (index, values) in [[UInt8(0), 60, 0, 64, 0, 66], [0, 68, 0, 70]].enumerated() {
      offsets.append(UInt64(image.count))
      var record = [UInt8](repeating: 0, count: 64)
      record.replaceSubrange(0..<8, with: [0xEF, 0xBE, 0xAD, 0xDE, 1, 0, 0, 0])
      record[8] = UInt8(values.count)
      let data = image.count + 64
      record[16] = UInt8(data & 255)
      record[17] = UInt8(data >> 8)
      image += record + values
      #expect(index == 0 || offsets[1] % 64 != 0)
    }
    let path = folder.write(image, to: "tight.bin")
    let file = try BlobFile(path: path)
    #expect(Array(try file.bytes(at: offsets[1], as: TensorType(.fp16, [2]))) == [0, 68, 0, 70])
  }
}

import ANEProfiles
import Testing

@testable import MILEngine

/// Narrow weights in a weight file: packed narrow, shared between programs, and compared with the text.
@Suite struct CompressedFileTests {
  private let folder = TemporaryFolder()

  /// A program over [64, 32] bytes with fp32 scales, for `columns` columns.
  private func text(columns: Int, declared: String = "int8") throws -> String {
    var writer = BlobWriter()
    let data = (0..<2048).map { UInt8(bitPattern: Int8(truncatingIfNeeded: $0 * 37)) }
    let scales = (0..<64).map { Float($0 + 1) / 64 }
    let first = try writer.append(TensorType(.int8, [64, 32, 1, 1]), data)
    let second = try writer.append(
      TensorType(.fp32, [64, 1, 1, 1]), scales.withUnsafeBytes { Array($0) })
    try writer.save(to: folder.path + "/weights.bin")
    func blob(_ type: String, _ offset: UInt64) -> String {
      "\(type)(BLOBFILE(path = string(\"@model_path/weights.bin\"), offset = uint64(\(offset))))"
    }
    let (bytes, factors) = ("tensor<\(declared), [64, 32, 1, 1]>", "tensor<fp32, [64, 1, 1, 1]>")
    return program(
      """
      \(bytes) d = const()[val = \(blob(bytes, first))];
      \(factors) s = const()[val = \(blob(factors, second))];
      tensor<fp32, [64, 32, 1, 1]> w = constexpr_blockwise_shift_scale(data = d, scale = s);
      tensor<fp32, [1, 64, 1, \(columns)]> y = conv(x = x, weight = w);
      """, inputs: "tensor<fp32, [1, 32, 1, \(columns)]> x", out: "y")
  }

  private func compile(_ text: String, _ name: String) throws(EngineError) -> CompileReport {
    try CompiledProgram.compile(
      text: text, modelDirectory: folder.path, profile: .cpu, directory: folder.path + "/" + name,
      packs: folder.path + "/packs")
  }

  @Test func bytesArePackedAsBytesAndShared() throws {
    let report = try compile(text(columns: 1), "one")
    #expect(report.packedBytes == PackedWeights.headerBytes + 2048 + 256)
    _ = try compile(text(columns: 8), "eight")
    #expect(SampleFiles.names(in: folder.path + "/packs").count == 1)
    let function = try CompiledProgram.load(
      directory: folder.path + "/one", packs: folder.path + "/packs"
    ).functions[0]
    // Data and scales as the device stores them, not the weights they stand for.
    #expect(function.work.weightBytes == 2048 + 256)
    #expect(function.work.opCount == 1)
    let x = (0..<32).map { Double($0) - 16 }
    let expected = (0..<64).map { o -> Double in
      let sum = (0..<32).reduce(0.0) {
        $0 + Double(Int8(truncatingIfNeeded: (o * 32 + $1) * 37)) * x[$1]
      }
      return sum * Double(o + 1) / 64
    }
    #expect(try function.run([x])[0] == expected)
  }

  @Test func theRecordMustHoldTheDeclaredType() throws {
    let text = try text(columns: 1, declared: "uint8")
    do throws(EngineError) {
      _ = try compile(text, "wrong")
      Issue.record("uint8 was read from a record of int8")
    } catch {
      #expect(error.message.contains("holds int8, but the text declares uint8"))
    }
  }
}

import Testing

@testable import MILEngine

@Suite struct BlobTests {
  private let folder = TemporaryFolder()

  private func written(_ image: [UInt8]) throws(Diagnostic) -> BlobFile {
    try BlobFile(path: folder.write(image, to: "w.bin"))
  }

  /// Two records: fp16 [3] at 64 and int4 [3] at 192.
  private func sample() throws(Diagnostic) -> BlobWriter {
    var writer = BlobWriter()
    _ = try writer.append(TensorType(.fp16, [3]), [0, 60, 0, 64, 0, 66])
    _ = try writer.append(TensorType(.int4, [3]), [0xE1, 0x03])
    return writer
  }

  @Test func recordsComeBack() throws {
    let file = try written(try sample().image)
    let first = try file.record(at: 64)
    #expect(first.dtype == .fp16 && Array(first.bytes) == [0, 60, 0, 64, 0, 66])
    let second = try file.bytes(at: 192, as: TensorType(.int4, [3]))
    #expect(Array(second) == [0xE1, 0x03])
    #expect(try file.record(at: 192).paddingBits == 4)
  }

  @Test func partsAreReadWithoutTheMapping() throws {
    let file = try written(try sample().image)
    let all = try file.record(at: 64).bytes
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 4)
    defer { memory.deallocate() }
    try file.copy(UnsafeRawBufferPointer(rebasing: all[1..<5]), to: memory.baseAddress!)
    #expect(Array(memory) == [60, 0, 64, 0])
  }

  @Test func layoutIsExact() throws {
    let image = try sample().image
    #expect(image.count == 192 + 64 + 2)
    #expect(Array(image[..<8]) == [2, 0, 0, 0, 2, 0, 0, 0])
    #expect(Array(image[64..<76]) == [0xEF, 0xBE, 0xAD, 0xDE, 1, 0, 0, 0, 6, 0, 0, 0])
    #expect(image[80] == 128 && image[192 + 24] == 4)
  }

  @Test func savedFilesAreWhole() throws {
    let path = folder.path + "/saved.bin"
    let writer = try sample()
    try writer.save(to: path)
    #expect(SampleFiles.bytes(of: path) == writer.image)
    #expect(SampleFiles.names(in: folder.path) == ["saved.bin"])
    #expect(throws: Diagnostic.self) { try writer.save(to: folder.path + "/none/x.bin") }
  }

  @Test func writerRefusesWhatDoesNotFit() {
    var writer = BlobWriter()
    #expect(throws: Diagnostic.self) { try writer.append(TensorType(.fp16, [3]), [0, 0]) }
    #expect(throws: Diagnostic.self) { try writer.append(TensorType(.bool, [1]), [0]) }
    #expect(throws: Diagnostic.self) { try writer.append(TensorType(.fp16, [.max, 4]), []) }
  }

  @Test func typeAndSizeMustAgree() throws {
    let file = try written(try sample().image)
    for type in [
      TensorType(.fp32, [3]), TensorType(.fp16, [4]), TensorType(.fp16, []),
      TensorType(.fp16, [.max, 4]), TensorType(.string, [3]),
    ] {
      #expect(throws: Diagnostic.self) { try file.bytes(at: 64, as: type) }
    }
    #expect(throws: Diagnostic.self) { try file.bytes(at: 192, as: TensorType(.int4, [4])) }
  }

  @Test(arguments: [0, 32, 65, 128, 100_000, UInt64.max, UInt64(Int.max), UInt64(Int.max) - 63])
  func offsetsThatNameNoRecord(_ offset: UInt64) throws {
    let file = try written(try sample().image)
    #expect(throws: Diagnostic.self) { try file.record(at: offset) }
  }

  /// Each row damages one byte of the first record or of the header.
  @Test(arguments: [
    (4, UInt8(1), "storage version 1"), (64, 0, "0xdeadbe00"), (68, 18, "type code 18"),
    (68, 0, "type code 0"), (79, 0xFF, "truncated or damaged"), (78, 0x10, "truncated"),
    (87, 0x7F, "truncated or damaged"), (80, 0, "truncated or damaged"), (80, 129, "no multiple"),
    (192 + 24, 9, "9 bits of padding"),
  ]) func damageIsNoticed(_ index: Int, _ byte: UInt8, _ expected: String) throws {
    var image = try sample().image
    image[index] = byte
    do throws(Diagnostic) {
      let file = try written(image)
      _ = try file.record(at: index < 192 ? 64 : 192)
      Issue.record("accepted")
    } catch {
      #expect(error.message.contains(expected), "\(error.message)")
      #expect(error.message.contains(folder.path))
    }
  }

  @Test func everyTruncationIsNoticed() throws {
    let image = try sample().image
    for length in 0..<image.count {
      let path = folder.write(Array(image[..<length]), to: "short.bin")
      #expect(throws: Diagnostic.self) {
        let file = try BlobFile(path: path)
        _ = try file.bytes(at: 64, as: TensorType(.fp16, [3]))
        _ = try file.bytes(at: 192, as: TensorType(.int4, [3]))
      }
    }
  }

  @Test func filesThatAreNone() {
    #expect(throws: Diagnostic.self) { try BlobFile(path: folder.path + "/none.bin") }
    #expect(throws: Diagnostic.self) { try BlobFile(path: folder.path) }
  }
}

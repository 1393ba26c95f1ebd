@testable import MILEngine

/// Weight files: a record that is accepted lies whole inside the file.
enum BlobTarget {
  private static let types: [TensorType] = [
    TensorType(.fp16, [2, 3]), TensorType(.fp32, [4]), TensorType(.int8, [7]),
    TensorType(.int4, [3]), TensorType(.uint1, [9]), TensorType(.uint6, [5]),
    TensorType(.int32, [0]), TensorType(.fp16, [1 << 40, 1 << 40]),
  ]

  static func run(_ bytes: [UInt8]) -> CInt {
    guard let file = try? BlobFile(path: ScratchFile.write(bytes)) else { return 0 }
    let offsets = (0...8).map { UInt64($0 * 64) } + [63, 1 << 32, .max, UInt64(bytes.count)]
    for offset in offsets {
      guard let record = try? file.record(at: offset) else { continue }
      let start = Int(field(bytes, Int(offset) + 16))
      expect(
        record.bytes.elementsEqual(bytes[start..<start + record.bytes.count]),
        "the record at \(offset) is not the file's")
      for type in types {
        guard let data = try? file.bytes(at: offset, as: type) else { continue }
        expect(type.packedSize?.bytes == data.count, "the record at \(offset) is no \(type)")
      }
    }
    return 0
  }

  private static func field(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

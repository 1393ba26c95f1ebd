/// The layout of MIL Blob Storage, version 2: sizes, field offsets and type codes. Numbers only.
///
/// A file is a 64-byte header and then records: 64 bytes of description at a multiple of 64, and the
/// data. MIL text names a record by the offset of its description. All fields are little-endian.
enum BlobFormat {
  static let version: UInt32 = 2
  static let sentinel: UInt32 = 0xDEAD_BEEF
  static let headerBytes = 64
  static let recordBytes = 64
  static let alignment = 64

  /// Fields of the header: u32 count, u32 version, zeros.
  enum Header {
    static let count = 0
    static let version = 4
  }

  /// Fields of a description: u32, u32, then u64 each, then zeros.
  enum Record {
    static let sentinel = 0
    static let dtype = 4
    static let byteCount = 8
    static let dataOffset = 16
    /// Bits at the end of the data that belong to no element; only types under a byte have any.
    static let paddingBits = 24
  }

  /// Types a file can hold.
  static let codes: [DType: UInt32] = [
    .fp16: 1, .fp32: 2, .uint8: 3, .int8: 4, .bf16: 5, .int16: 6, .uint16: 7, .int4: 8, .uint1: 9,
    .uint2: 10, .uint4: 11, .uint3: 12, .uint6: 13, .int32: 14, .uint32: 15,
    .fp8e4m3fn: 16, .fp8e5m2: 17,
  ]

  static let dtypes: [UInt32: DType] = Dictionary(
    uniqueKeysWithValues: codes.map { ($0.value, $0.key) })

  /// The next multiple of the alignment; `nil` past the end of numbers.
  static func aligned(_ offset: Int) -> Int? {
    let (sum, overflow) = offset.addingReportingOverflow(alignment - 1)
    return overflow ? nil : sum / alignment * alignment
  }
}

extension TensorType {
  /// Bytes of the tensor packed as in a blob, and the bits left over in the last; `nil` for strings
  /// and sizes past the end of numbers.
  var packedSize: (bytes: Int, paddingBits: Int)? {
    guard let width = dtype.bitWidth, let count = Shape.count(shape) else { return nil }
    let (bits, overflow) = count.multipliedReportingOverflow(by: width)
    guard !overflow, bits <= Int.max - 7 else { return nil }
    let bytes = (bits + 7) / 8
    return (bytes, bytes * 8 - bits)
  }
}

/// A weight file, mapped for reading. Every field is checked before it is believed; what the bytes
/// mean is known from the MIL text alone.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One record of a weight file.
public struct BlobRecord: Sendable {
  public let dtype: DType
  /// Lives as long as its file.
  public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
  /// Bits at the end that belong to no element.
  public let paddingBits: Int
}

public final class BlobFile: Sendable {
  public let path: String
  private nonisolated(unsafe) let base: UnsafeRawPointer
  private let size: Int
  private let descriptor: Int32

  /// Maps the file at `path` and checks its header.
  public init(path: String) throws(Diagnostic) {
    self.path = path
    let opened = open(path, O_RDONLY | O_CLOEXEC)
    guard opened >= 0 else { throw Self.unreadable(path) }
    var isOwned = false
    defer { if !isOwned { close(opened) } }
    var status = stat()
    guard fstat(opened, &status) == 0 else { throw Self.unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Self.fault(path, "is no regular file; give a weight file")
    }
    size = Int(status.st_size)
    guard size >= BlobFormat.headerBytes else {
      throw Self.fault(
        path,
        "has \(size) bytes, but the header alone takes \(BlobFormat.headerBytes);"
          + " the file is truncated or no weight file")
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, opened, 0),
      address != MAP_FAILED
    else { throw Self.unreadable(path) }
    base = UnsafeRawPointer(address)
    descriptor = opened
    isOwned = true
    let version = base.load(fromByteOffset: BlobFormat.Header.version, as: UInt32.self)
    guard UInt32(littleEndian: version) == BlobFormat.version else {
      throw Self.fault(
        path,
        "has storage version \(UInt32(littleEndian: version)); expected"
          + " \(BlobFormat.version). It is another kind of file; write the weights anew")
    }
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: base), size)
    close(descriptor)
  }

  /// Copies a part of a record's bytes without touching the mapping, so that nothing around it comes to lie in
  /// this process's memory.
  public func copy(_ part: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer)
    throws(Diagnostic)
  {
    guard let start = part.baseAddress else { return }
    var done = 0
    while done < part.count {
      let count = pread(descriptor, target + done, part.count - done, start - base + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.unreadable(path) }
      done += count
    }
  }

  /// The record whose description is at `offset`, as the MIL text names it.
  public func record(at offset: UInt64) throws(Diagnostic) -> BlobRecord {
    guard let start = Int(exactly: offset), start >= BlobFormat.headerBytes,
      start <= size - BlobFormat.recordBytes
    else {
      throw fault(
        "has \(size) bytes, so offset \(offset) names no record; offsets run from"
          + " \(BlobFormat.headerBytes) and name the 64 bytes before the data")
    }
    let sentinel = field(start + BlobFormat.Record.sentinel, UInt32.self)
    guard sentinel == BlobFormat.sentinel else {
      throw fault(
        "offset \(offset) is not the start of a record: 0x\(String(sentinel, radix: 16)) stands"
          + " there instead of 0xdeadbeef. The offset names the record, 64 bytes before the data")
    }
    let code = field(start + BlobFormat.Record.dtype, UInt32.self)
    guard let dtype = BlobFormat.dtypes[code] else {
      throw fault("the record at \(offset) has type code \(code), which is not known here")
    }
    return BlobRecord(
      dtype: dtype, bytes: try data(of: start, dtype), paddingBits: try padding(of: start, dtype))
  }

  /// The data of the record at `offset`, which must hold exactly a tensor of `type`.
  public func bytes(
    at offset: UInt64, as type: TensorType
  ) throws(Diagnostic) -> UnsafeRawBufferPointer {
    let record = try record(at: offset)
    guard record.dtype == type.dtype else {
      throw fault(
        "the record at \(offset) holds \(record.dtype.rawValue), but the text declares"
          + " \(type.dtype.rawValue); correct the type or the offset")
    }
    guard let expected = type.packedSize, record.bytes.count == expected.bytes,
      record.paddingBits == expected.paddingBits
    else {
      let need = type.packedSize.map { "\($0.bytes)" } ?? "too many"
      throw fault(
        "the record at \(offset) holds \(record.bytes.count) bytes, but \(type.text) takes \(need);"
          + " correct the shape or the offset")
    }
    return record.bytes
  }

  /// What stands where the data of a record at `offset` would be, whether there is a record or not.
  func bytes(behind offset: UInt64, as type: TensorType) throws(Diagnostic)
    -> UnsafeRawBufferPointer
  {
    guard let start = Int(exactly: offset), let length = type.packedSize?.bytes,
      start <= size - BlobFormat.recordBytes, length <= size - BlobFormat.recordBytes - start
    else {
      throw fault("has \(size) bytes, too few for \(type.text) at \(offset)")
    }
    return UnsafeRawBufferPointer(
      start: base + start + BlobFormat.recordBytes, count: length)
  }

  /// Writers that put records back to back leave them unaligned, which no reader minds; elements are
  /// read in one piece.
  private func data(of start: Int, _ dtype: DType) throws(Diagnostic) -> UnsafeRawBufferPointer {
    let first = field(start + BlobFormat.Record.dataOffset, UInt64.self)
    let count = field(start + BlobFormat.Record.byteCount, UInt64.self)
    guard let offset = Int(exactly: first), let length = Int(exactly: count),
      offset >= BlobFormat.headerBytes, offset <= size, length <= size - offset
    else {
      throw fault(
        "the record at \(start) says that its \(count) bytes start at \(first), but the file has"
          + " \(size) bytes; it is truncated or damaged")
    }
    let elementBytes = max((dtype.bitWidth ?? 8) / 8, 1)
    guard offset % elementBytes == 0 else {
      throw fault(
        "the record at \(start) says that its data starts at \(offset), which is no multiple of"
          + " \(elementBytes), the bytes of an element")
    }
    return UnsafeRawBufferPointer(start: base + offset, count: length)
  }

  private func padding(of start: Int, _ dtype: DType) throws(Diagnostic) -> Int {
    guard let width = dtype.bitWidth, width < 8 else { return 0 }
    let bits = field(start + BlobFormat.Record.paddingBits, UInt64.self)
    guard bits < 8 else {
      throw fault("the record at \(start) has \(bits) bits of padding; under 8 were expected")
    }
    return Int(bits)
  }

  private func field<Number: FixedWidthInteger>(_ offset: Int, _ type: Number.Type) -> Number {
    Number(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: type))
  }

  private func fault(_ message: String) -> Diagnostic { Self.fault(path, message) }

  private static func fault(_ path: String, _ message: String) -> Diagnostic {
    Diagnostic("weight file \(path): \(message)", rule: "blob")
  }

  private static func unreadable(_ path: String) -> Diagnostic {
    fault(path, "cannot be read: \(String(cString: strerror(errno)))")
  }
}

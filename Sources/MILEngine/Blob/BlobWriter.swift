/// Builds a weight file in memory and saves it in one step. It does not know which program reads it.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

public struct BlobWriter: Sendable {
  /// The whole file so far.
  public private(set) var image = [UInt8](repeating: 0, count: BlobFormat.headerBytes)
  private var count: UInt32 = 0

  public init() { put(BlobFormat.version, at: BlobFormat.Header.version) }

  /// Adds a tensor; the offset by which MIL text names it.
  public mutating func append(_ type: TensorType, _ bytes: [UInt8]) throws(Diagnostic) -> UInt64 {
    guard let code = BlobFormat.codes[type.dtype] else {
      throw Diagnostic(
        "a weight file cannot hold \(type.dtype.rawValue); write the values into the text",
        rule: "blob")
    }
    guard let size = type.packedSize, size.bytes == bytes.count,
      let start = BlobFormat.aligned(image.count)
    else {
      let need = type.packedSize.map { "\($0.bytes)" } ?? "too many"
      throw Diagnostic("\(type.text) takes \(need) bytes, but \(bytes.count) came", rule: "blob")
    }
    image += [UInt8](repeating: 0, count: start + BlobFormat.recordBytes - image.count)
    put(BlobFormat.sentinel, at: start + BlobFormat.Record.sentinel)
    put(code, at: start + BlobFormat.Record.dtype)
    put(UInt64(bytes.count), at: start + BlobFormat.Record.byteCount)
    put(UInt64(image.count), at: start + BlobFormat.Record.dataOffset)
    put(UInt64(size.paddingBits), at: start + BlobFormat.Record.paddingBits)
    image += bytes
    count += 1
    put(count, at: BlobFormat.Header.count)
    return UInt64(start)
  }

  /// Writes the file so that readers see all of it or nothing.
  public func save(to path: String) throws(Diagnostic) {
    let temporary = "\(path).\(getpid()).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw unwritable(path) }
    let isWritten = write(to: descriptor) && fsync(descriptor) == 0
    guard close(descriptor) == 0, isWritten, rename(temporary, path) == 0 else {
      let fault = unwritable(path)
      unlink(temporary)
      throw fault
    }
  }

  private func write(to descriptor: Int32) -> Bool {
    image.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = UnsafeRawBufferPointer(rebasing: rest)
        // Qualified: the method's own name hides the C function.
        #if canImport(Glibc)
          let done = Glibc.write(descriptor, part.baseAddress, part.count)
        #else
          let done = Darwin.write(descriptor, part.baseAddress, part.count)
        #endif
        if done <= 0 { return false }
        rest = rest.dropFirst(done)
      }
      return true
    }
  }

  private func unwritable(_ path: String) -> Diagnostic {
    Diagnostic(
      "weight file \(path): cannot be written: \(String(cString: strerror(errno)))", rule: "blob")
  }

  private mutating func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
    withUnsafeBytes(of: number.littleEndian) { bytes in
      for (index, byte) in bytes.enumerated() { image[offset + index] = byte }
    }
  }
}

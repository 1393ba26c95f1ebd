import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// SHA-256 in hexadecimal, of texts and of files.
enum SHA256 {
  static func hex(of texts: [String]) -> String {
    var hash = orion_sha256()
    orion_sha256_start(&hash)
    for text in texts {
      // Lengths first, so that no two lists of texts look alike.
      var count = UInt64(text.utf8.count).littleEndian
      orion_sha256_add(&hash, &count, MemoryLayout<UInt64>.size)
      var text = text
      text.withUTF8 { orion_sha256_add(&hash, $0.baseAddress, $0.count) }
    }
    return finish(&hash)
  }

  static func hex(ofFile path: String) throws(OrionError) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileSystem.failure("file \(path)", "cannot be read") }
    defer { close(file) }
    return try hex(ofDescriptor: file, path)
  }

  static func hex(ofDescriptor file: Int32, _ path: String) throws(OrionError) -> String {
    let capacity = 1 << 20
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    defer { buffer.deallocate() }
    var hash = orion_sha256()
    orion_sha256_start(&hash)
    while true {
      let count = read(file, buffer, capacity)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileSystem.failure("file \(path)", "cannot be read") }
      guard count > 0 else { return finish(&hash) }
      orion_sha256_add(&hash, buffer, count)
    }
  }

  private static func finish(_ hash: inout orion_sha256) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    orion_sha256_finish(&hash, &digest)
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in digest {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

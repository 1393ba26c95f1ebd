#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whole files, their sizes and their real paths. It knows nothing of what they hold.
enum FileBytes {
  static func count(_ path: String) throws(OrionError) -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileSystem.failure(path, "cannot be read") }
    return Int(status.st_size)
  }

  /// The bytes of a file, refused when there are more than `limit`.
  static func read(_ path: String, atMost limit: Int = 1 << 30) throws(OrionError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileSystem.failure(path, "cannot be opened") }
    defer { close(file) }
    let expected = try count(path)
    guard expected <= limit else {
      throw OrionError(.file, "\(path): expected at most \(limit) bytes, got \(expected)")
    }
    var result = [UInt8](repeating: 0, count: expected)
    var filled = 0
    while filled < expected {
      let got = result.withUnsafeMutableBytes { buffer in
        #if canImport(Glibc)
          Glibc.read(file, buffer.baseAddress! + filled, expected - filled)
        #else
          Darwin.read(file, buffer.baseAddress! + filled, expected - filled)
        #endif
      }
      guard got >= 0 || errno == EINTR else { throw FileSystem.failure(path, "cannot be read") }
      guard got != 0 else {
        throw OrionError(.file, "\(path): it became shorter while it was read; try again")
      }
      filled += max(got, 0)
    }
    return result
  }

  /// The path without links; `nil` when there is no such file.
  static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

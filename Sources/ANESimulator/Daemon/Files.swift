/// The few file operations of the daemon. It knows nothing of models.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum Files {
  /// Why the last call failed.
  static var lastError: String { String(cString: strerror(errno)) }

  /// Makes `path` and what is missing above it; `false` with `errno` when that fails.
  static func makeDirectory(_ path: String) -> Bool {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/\(part)"
      if mkdir(made, 0o755) != 0, errno != EEXIST { return false }
    }
    return isDirectory(path)
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// When it was last changed, in seconds and nanoseconds; `nil` when it does not exist. For a
  /// directory: when a name in it was made, renamed or removed.
  static func changed(_ path: String) -> (Int, Int)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    #if canImport(Glibc)
      return (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    #else
      return (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
    #endif
  }

  /// A whole file; `false` with `errno` when it cannot be written.
  static func write(_ bytes: UnsafeRawBufferPointer, to path: String) -> Bool {
    guard let file = fopen(path, "wb") else { return false }
    let isWritten = fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count
    return fclose(file) == 0 && isWritten
  }

  /// What lies directly in a directory; nothing when it cannot be read.
  static func names(in path: String) -> [String] {
    guard let listing = opendir(path) else { return [] }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// A directory with all that is in it; links are not followed.
  static func removeTree(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      unlink(path)
      return
    }
    for name in names(in: path) { removeTree("\(path)/\(name)") }
    rmdir(path)
  }

  /// All bytes of a file; `nil` with `errno` when it cannot be read.
  static func read(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { return nil }
    guard status.st_mode & S_IFMT == S_IFREG else {
      errno = EISDIR
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        #if canImport(Glibc)
          Glibc.read(file, $0.baseAddress! + filled, $0.count - filled)
        #else
          Darwin.read(file, $0.baseAddress! + filled, $0.count - filled)
        #endif
      }
      if count < 0 { return nil }
      if count == 0 { break }
      filled += count
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }
}

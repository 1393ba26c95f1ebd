#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A lock that holds between processes, for writers whose files must agree.
enum FileLock {
  /// Runs `body` while no other process or thread holds the lock called `name`.
  static func hold<R>(
    _ name: String, in directory: String, _ body: () throws(OrionError) -> R
  ) throws(OrionError) -> R {
    try FileSystem.makeDirectory(directory, for: "directory of locks")
    let path = "\(directory)/\(name)"
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw FileSystem.failure("lock \(path)", "cannot be opened") }
    // Closing lets go of the lock, also when the process dies.
    defer { close(file) }
    while flock(file, LOCK_EX) != 0 {
      guard errno == EINTR else { throw FileSystem.failure("lock \(path)", "cannot be taken") }
    }
    return try body()
  }
}

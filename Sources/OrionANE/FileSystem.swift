#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The few file operations the caches need: whole files written at once or not at all.
enum FileSystem {
  /// Creates `path` and what is missing above it.
  static func makeDirectory(_ path: String, for purpose: String) throws(OrionError) {
    var built = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      built += (built.isEmpty || built == "/") ? String(part) : "/" + part
      guard mkdir(built, 0o755) != 0, errno != EEXIST, !isDirectory(built) else { continue }
      throw failure("\(purpose) \(path)", "cannot be created")
    }
    guard isDirectory(path) else {
      throw OrionError(.file, "\(purpose) \(path): not a directory; name another place")
    }
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Entries of a directory but `.` and `..`; none when it cannot be read.
  static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The error of the system call that just failed.
  static func failure(_ thing: String, _ what: String) -> OrionError {
    OrionError(.file, "\(thing): \(what) (\(String(cString: strerror(errno))))")
  }
}

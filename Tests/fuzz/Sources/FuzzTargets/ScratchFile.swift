#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory of this process for what readers want as files; in memory where the system has a place.
enum ScratchFile {
  static let directory: String = {
    let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(base)/orion-fuzz-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { return base }
    atexit { ScratchFile.remove(ScratchFile.directory) }
    return String(cString: made)
  }()

  /// The path of a file that holds `bytes`; the next call changes it.
  static func write(_ bytes: [UInt8], to name: String = "input") -> String {
    let path = "\(directory)/\(name)"
    if let folder = name.split(separator: "/").dropLast().first {
      mkdir("\(directory)/\(folder)", 0o700)
    }
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    expect(file >= 0, "\(path) cannot be written")
    defer { close(file) }
    let wrote = bytes.withUnsafeBytes { buffer in
      #if canImport(Glibc)
        Glibc.write(file, buffer.baseAddress, buffer.count)
      #else
        Darwin.write(file, buffer.baseAddress, buffer.count)
      #endif
    }
    expect(wrote == bytes.count, "\(path): \(wrote) bytes written of \(bytes.count)")
    return path
  }

  static func remove(_ path: String) {
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove("\(path)/\(name)") }
      }
      closedir(folder)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}

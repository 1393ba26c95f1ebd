import MILEngine
import Synchronization

#if canImport(Glibc)
  import Glibc
  private let posixRead = Glibc.read
  private let posixWrite = Glibc.write
#else
  import Darwin
  private let posixRead = Darwin.read
  private let posixWrite = Darwin.write
#endif

/// The few file operations the caches need: whole files written at once or not at all.
enum FileSystem {
  /// Creates `path` and what is missing above it.
  static func makeDirectory(_ path: String, for purpose: String) throws(OrionError) {
    var built = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      built += (built.isEmpty || built == "/") ? String(part) : "/" + part
      if !isDirectory(built), FileWatch.stops(built) {
        throw failure("\(purpose) \(path)", "cannot be created")
      }
      guard mkdir(built, 0o755) != 0, errno != EEXIST, !isDirectory(built) else { continue }
      throw failure("\(purpose) \(path)", "cannot be created")
    }
    guard isDirectory(path) else {
      throw OrionError(.file, "\(purpose) \(path): not a directory; name another place")
    }
  }

  /// Takes a file away; one that is not there is no fault.
  static func remove(_ path: String) { unlink(path) }

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

  /// A whole file as text; `nil` when it cannot be read or is not UTF-8.
  static func read(_ path: String) -> String? {
    (try? FileBytes.read(path)).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Writes a whole file: under another name first, so that nobody sees half of it.
  static func write(_ text: String, to path: String) throws(OrionError) {
    try write(Array(text.utf8), to: path)
  }

  static func write(_ bytes: [UInt8], to path: String) throws(OrionError) {
    try replace(path) { (temporary: String) throws(OrionError) in
      let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard file >= 0, !FileWatch.stops(path) else {
        if file >= 0 { close(file) }
        throw failure("file \(path)", "cannot be written")
      }
      defer { close(file) }
      try write(bytes, file, path)
      guard fsync(file) == 0 else { throw failure("file \(path)", "cannot be written") }
    }
  }

  /// Gives a file a second name, or copies it where file systems do not allow that.
  static func link(_ source: String, to path: String) throws(OrionError) {
    try replace(path) { (temporary: String) throws(OrionError) in
      guard !FileWatch.stops(path) else {
        throw failure("file \(path)", "cannot be written")
      }
      guard linkat(AT_FDCWD, source, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) != 0 else { return }
      try copy(source, to: temporary)
    }
  }

  private static let serial = Atomic<UInt64>(0)

  /// `path` with an ending that no other living process or call gets.
  static func unique(_ path: String) -> String {
    "\(path).\(getpid()).\(serial.wrappingAdd(1, ordering: .relaxed).newValue)"
  }

  /// Makes a file under a temporary name and then gives it its own.
  private static func replace(_ path: String, _ make: (String) throws(OrionError) -> Void)
    throws(OrionError)
  {
    let temporary = unique(path) + ".tmp"
    do throws(OrionError) {
      try make(temporary)
      guard !FileWatch.stops(path), rename(temporary, path) == 0 else {
        throw failure("file \(path)", "cannot be put in place")
      }
      // Two names of one file: the rename succeeds and leaves both.
      unlink(temporary)
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// A new file with the same bytes.
  static func copy(_ source: String, to target: String) throws(OrionError) {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw failure("file \(source)", "cannot be read") }
    defer { close(input) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard output >= 0 else { throw failure("file \(target)", "cannot be written") }
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = posixRead(input, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure("file \(source)", "cannot be read") }
      guard count > 0 else { break }
      try write(Array(buffer[..<count]), output, target)
    }
    guard !FileWatch.stops(target), fsync(output) == 0 else {
      throw failure("file \(target)", "cannot be written")
    }
  }

  private static func write(_ bytes: [UInt8], _ file: Int32, _ path: String) throws(OrionError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        posixWrite(file, buffer.baseAddress.map { $0 + written }, buffer.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure("file \(path)", "cannot be written") }
      written += count
    }
  }

  /// The error of the system call that just failed.
  static func failure(_ thing: String, _ what: String) -> OrionError {
    OrionError(.file, "\(thing): \(what) (\(String(cString: strerror(errno))))")
  }
}

/// Reading and writing whole files so that none is ever seen half written.
#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum Files {
  /// Writes pieces one after the other under another name, makes them durable, then renames.
  static func write(
    _ path: String,
    _ pieces: (_ write: (UnsafeRawBufferPointer) throws(EngineError) -> Void)
      throws(EngineError) -> Void
  ) throws(EngineError) {
    var template = Array((path + ".XXXXXX").utf8CString)
    guard !FileWatch.stops(path), case let descriptor = mkstemp(&template), descriptor >= 0 else {
      throw refusal("cannot write", path)
    }
    let temporary = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    var isOpen = true
    do throws(EngineError) {
      try pieces { (bytes) throws(EngineError) in try append(bytes, to: descriptor, path) }
      guard !FileWatch.stops(path), fchmod(descriptor, 0o644) == 0, fsync(descriptor) == 0 else {
        throw refusal("cannot write", path)
      }
      isOpen = false
      let isClosed = close(descriptor) == 0
      guard isClosed, !FileWatch.stops(path), rename(temporary, path) == 0 else {
        throw refusal("cannot write", path)
      }
    } catch {
      if isOpen { close(descriptor) }
      unlink(temporary)
      throw error
    }
  }

  private static func append(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String
  ) throws(EngineError) {
    var rest = bytes
    guard !FileWatch.stops(path) else { throw refusal("cannot write", path) }
    while let base = rest.baseAddress, rest.count > 0 {
      #if canImport(Glibc)
        let written = Glibc.write(descriptor, base, rest.count)
      #else
        let written = Darwin.write(descriptor, base, rest.count)
      #endif
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw refusal("cannot write", path) }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  /// The directory and those above it, where they are missing.
  static func makeDirectory(_ path: String) throws(EngineError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw .file("\(path) is no directory; remove it or choose another")
      }
      return
    }
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      try makeDirectory(String(path[..<slash]))
    }
    guard !FileWatch.stops(path), mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw refusal("cannot make directory", path)
    }
  }

  static func refusal(_ what: String, _ path: String) -> EngineError {
    .file("\(what) \(path): \(String(cString: strerror(errno)))")
  }
}

/// A whole file, mapped for reading.
final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer
  /// Changes whenever the file does.
  let identity: String

  init(path: String) throws(EngineError) {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { throw .damaged("\(path) is missing; compile the program again") }
      throw Files.refusal("cannot read", path)
    }
    defer { close(descriptor) }
    guard let identity = Self.identity(descriptor) else {
      throw Files.refusal("cannot read", path)
    }
    self.identity = identity.text
    guard identity.size > 0 else { throw .damaged("\(path) is empty; compile the program again") }
    guard let address = mmap(nil, identity.size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw Files.refusal("cannot map", path) }
    bytes = UnsafeRawBufferPointer(start: address, count: identity.size)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

  private static func identity(_ descriptor: Int32) -> (text: String, size: Int)? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    #if canImport(Glibc)
      let (changed, modified) = (status.st_ctim, status.st_mtim)
    #else
      let (changed, modified) = (status.st_ctimespec, status.st_mtimespec)
    #endif
    let times = "\(changed.tv_sec).\(changed.tv_nsec) \(modified.tv_sec).\(modified.tv_nsec)"
    let size = Int(status.st_size)
    return ("\(status.st_dev) \(status.st_ino) \(size) \(times)", size)
  }
}

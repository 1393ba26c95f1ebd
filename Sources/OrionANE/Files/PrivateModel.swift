import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A model directory of one program alone, whose weight file is written in place. No cache entry that a
/// later run trusts lies in it; it goes when the program does, or when the next process finds that its
/// owner has gone.
final class PrivateModel: Sendable {
  let path: String
  private let weightBytes: Int
  /// Held as long as this lives, so that others know.
  private let owned: Int32
  private let mapping = Mutex(Mapping())

  private struct Mapping: @unchecked Sendable {
    var address: UnsafeMutableRawPointer?
    var isLocked = false
  }

  /// Copies the source's text and weights.
  init(_ source: ProgramSource, caches: CacheDirectory) throws(OrionError) {
    let links = try WeightLinks(source).links
    guard let weights = links.first, links.count == 1, weights.name == ModelDirectory.weightFile
    else {
      throw OrionError(
        .argument,
        "program \(source.function): patchable, but there is no one weight file that the text calls"
          + " @model_path/\(ModelDirectory.weightFile); give that file")
    }
    let room = caches.privateModels
    try FileSystem.makeDirectory(room, for: "directory of private models")
    Self.sweep(room)
    (path, owned) = try Self.claim(room)
    do throws(OrionError) {
      try FileSystem.makeDirectory(path, for: "private model directory")
      let file = "\(path)/\(ModelDirectory.weightFile)"
      try FileSystem.copy(weights.path, to: file)
      try FileSystem.write(source.text, to: "\(path)/\(ModelDirectory.textFile)")
      weightBytes = try FileBytes.count(file)
    } catch {
      Self.remove(path)
      close(owned)
      throw error
    }
  }

  deinit {
    if let address = mapping.withLock({ $0.address }) { munmap(address, weightBytes) }
    Self.remove(path)
    close(owned)
  }

  // MARK: The weights

  /// The weight file's bytes, for writing; they are the file. Does not nest.
  func lock() throws(OrionError) -> UnsafeMutableRawBufferPointer {
    let result: Result<UnsafeMutableRawBufferPointer, OrionError> = mapping.withLock { mapping in
      guard !mapping.isLocked else { return .failure(fault("already locked; unlock them first")) }
      if mapping.address == nil {
        let file = open("\(path)/\(ModelDirectory.weightFile)", O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return .failure(fault("cannot be opened")) }
        defer { close(file) }
        let made = mmap(nil, weightBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let made, made != MAP_FAILED else { return .failure(fault("cannot be mapped")) }
        mapping.address = made
      }
      mapping.isLocked = true
      return .success(UnsafeMutableRawBufferPointer(start: mapping.address, count: weightBytes))
    }
    return try result.get()
  }

  func unlock() throws(OrionError) {
    let wasLocked = mapping.withLock { mapping in
      defer { mapping.isLocked = false }
      return mapping.isLocked
    }
    guard wasLocked else { throw fault("not locked; lock them before unlocking") }
  }

  var isLocked: Bool { mapping.withLock { $0.isLocked } }

  private func fault(_ what: String) -> OrionError {
    OrionError(.argument, "weights \(path)/\(ModelDirectory.weightFile): \(what)")
  }

  // MARK: Ownership

  private static let suffix = ".lock"

  /// A name nobody has, and the lock that says it is taken.
  private static func claim(_ room: String) throws(OrionError) -> (path: String, lock: Int32) {
    while true {
      let path = FileSystem.unique("\(room)/model")
      let file = open(path + suffix, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard file >= 0 else {
        if errno == EEXIST { continue }
        throw FileSystem.failure("lock \(path)\(suffix)", "cannot be made")
      }
      // A sweeper may have taken the lock, and the name, in between.
      if flock(file, LOCK_EX | LOCK_NB) == 0, FileSystem.isFile(path + suffix) {
        return (path, file)
      }
      close(file)
    }
  }

  /// Removes directories whose owners have gone: their locks can be had.
  private static func sweep(_ room: String) {
    for name in FileSystem.names(in: room) where name.hasSuffix(suffix) {
      let file = open("\(room)/\(name)", O_RDWR | O_CLOEXEC)
      guard file >= 0 else { continue }
      if flock(file, LOCK_EX | LOCK_NB) == 0 { remove("\(room)/\(name.dropLast(suffix.count))") }
      close(file)
    }
  }

  /// The lock goes last: as long as it is there, the directory is found.
  private static func remove(_ path: String) {
    for name in FileSystem.names(in: path) { unlink("\(path)/\(name)") }
    rmdir(path)
    unlink(path + suffix)
  }
}

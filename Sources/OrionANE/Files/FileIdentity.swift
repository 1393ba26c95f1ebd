#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// SHA-256 of files, remembered under device, inode, size and time of change, so that a large file is read
/// once. An entry that does not check itself is ignored.
struct FileIdentity: Sendable {
  private let directory: String

  init(directory: String) { self.directory = directory }

  /// The file's SHA-256 in hexadecimal.
  func hex(of path: String, as thing: String) throws(OrionError) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileSystem.failure("\(thing) \(path)", "cannot be read") }
    defer { close(file) }
    guard let before = Stamp(file) else {
      throw OrionError(.file, "\(thing) \(path): not a file; name a file")
    }
    if let known = remembered(before) { return known }
    let digest = try SHA256.hex(ofDescriptor: file, path)
    if Stamp(file) == before && before.isSettled { remember(before, digest) }
    return digest
  }

  private struct Stamp: Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int

    init?(_ file: Int32) {
      var status = stat()
      guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      device = UInt64(truncatingIfNeeded: status.st_dev)
      inode = UInt64(status.st_ino)
      size = Int64(status.st_size)
      #if canImport(Glibc)
        (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
      #else
        (seconds, nanoseconds) = (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
      #endif
    }

    /// A file changed a moment ago may change again within the same tick of its clock.
    var isSettled: Bool {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      let age = (now.tv_sec - seconds) * 1_000 + (now.tv_nsec - nanoseconds) / 1_000_000
      return age > 50
    }

    var name: String { "\(device)-\(inode)" }
    var text: String { "1 \(size) \(seconds).\(nanoseconds)" }
  }

  /// An entry: what the file was like, its digest, and the digest of both.
  private func entry(_ stamp: Stamp, _ digest: String) -> String {
    "\(stamp.text) \(digest) \(SHA256.hex(of: [stamp.text, digest]))\n"
  }

  private func remembered(_ stamp: Stamp) -> String? {
    guard let text = FileSystem.read("\(directory)/\(stamp.name)") else { return nil }
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
    guard words.count == 5, entry(stamp, String(words[3])) == text else { return nil }
    return String(words[3])
  }

  /// A memory that cannot be written is only slow.
  private func remember(_ stamp: Stamp, _ digest: String) {
    try? FileSystem.makeDirectory(directory, for: "directory of file identities")
    try? FileSystem.write(entry(stamp, digest), to: "\(directory)/\(stamp.name)")
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What lies in a cache directory, room by room, for people who want to see or clear it.
enum CacheContents {
  /// [{kind, path, bytes, files}], the rooms that exist, by name.
  static func list(_ path: String) -> JSONValue {
    let rooms = FileSystem.names(in: path).filter { FileSystem.isDirectory("\(path)/\($0)") }
    return .array(
      rooms.sorted().map { room in
        var size = Size()
        measure("\(path)/\(room)", depth: 0, into: &size)
        return [
          "kind": JSONValue(room), "path": JSONValue("\(path)/\(room)"),
          "bytes": JSONValue(size.bytes), "files": JSONValue(size.files),
        ]
      })
  }

  private struct Size {
    var bytes = 0
    var files = 0
  }

  private static let depthMax = 16

  private static func measure(_ path: String, depth: Int, into size: inout Size) {
    guard depth < depthMax else { return }
    for name in FileSystem.names(in: path) {
      let entry = "\(path)/\(name)"
      var status = stat()
      guard lstat(entry, &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR {
        measure(entry, depth: depth + 1, into: &size)
      } else if status.st_mode & S_IFMT == S_IFREG {
        size.bytes += Int(status.st_size)
        size.files += 1
      }
    }
  }
}

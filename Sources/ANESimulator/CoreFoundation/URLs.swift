/// CFURL, of files only.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class URLObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFURL" }

  let path: String
  let isDirectory: Bool

  init(path: String, isDirectory: Bool, world: World?) {
    self.path = path
    self.isDirectory = isDirectory
    super.init(isa: FoundationClasses.named("NSURL"), world: world)
  }

  /// From the root, without `.`, `..` that can be resolved by name, or a slash at the end.
  var standardPath: String {
    var full = path
    if !full.hasPrefix("/"), let here = getcwd(nil, 0) {
      full = String(cString: here) + "/" + full
      free(here)
    }
    var parts: [Substring] = []
    for part in full.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  override func isEqual(to other: Instance) -> Bool { (other as? URLObject)?.path == path }
  override var descriptionText: String { "file://\(path)\(isDirectory ? "/" : "")" }
}

enum URLs {
  static let symbols = [
    Symbol("CFURLGetTypeID", { TypeIDs.url } as CoreFoundation.TypeID),
    Symbol(
      "CFURLCreateFromFileSystemRepresentation",
      { allocator, bytes, count, isDirectory in
        let call = Call("CFURLCreateFromFileSystemRepresentation")
        guard CoreFoundation.checkAllocator(allocator, call) else { return nil }
        guard let bytes, count > 0 else {
          call.misuse("\(count) bytes at \(bytes.map { "\($0)" } ?? "NULL"); expected a path")
          return nil
        }
        let raw = UnsafeRawBufferPointer(start: bytes, count: count)
        guard var path = String(validating: raw, as: UTF8.self) else { return nil }
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return URLObject(
          path: path, isDirectory: isDirectory != 0, world: ThreadState.current.world
        ).address
      } as @convention(c) (Pointer?, UnsafePointer<UInt8>?, Int, UInt8) -> Pointer?),
    Symbol(
      "CFURLGetFileSystemRepresentation",
      { id, resolves, buffer, size in
        let call = Call("CFURLGetFileSystemRepresentation")
        guard let url = call.object(id, as: "url", URLObject.self) else { return 0 }
        guard let buffer, size > 0 else {
          call.misuse("the buffer is NULL or empty", world: url.world)
          return 0
        }
        let bytes = Array((resolves == 0 ? url.path : url.standardPath).utf8)
        guard bytes.count < size else { return 0 }
        for (index, byte) in bytes.enumerated() { buffer[index] = byte }
        buffer[bytes.count] = 0
        return 1
      } as @convention(c) (Pointer?, UInt8, UnsafeMutablePointer<UInt8>?, Int) -> UInt8),
  ]
}

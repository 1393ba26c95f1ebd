/// Finds the weight files that a text names, inside the model's directory and nowhere else.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct ModelDirectory {
  static let prefix = "@model_path/"

  private let root: String?
  /// Data is taken from 64 bytes behind an offset, without a look at the record.
  private let readsBlindly: Bool
  private var files: [String: Result<BlobFile, Diagnostic>] = [:]

  /// Without a path, names are checked and no file is opened.
  init(path: String?, readsBlindly: Bool = false) {
    root = path
    self.readsBlindly = readsBlindly
  }

  /// The data of a tensor in the file at a relative path; `nil` when there is no directory.
  mutating func bytes(
    at relative: String, offset: UInt64, as type: TensorType
  ) throws(Diagnostic) -> UnsafeRawBufferPointer? {
    guard let file = try file(at: relative) else { return nil }
    return readsBlindly
      ? try file.bytes(behind: offset, as: type) : try file.bytes(at: offset, as: type)
  }

  /// The part of a name after `@model_path/`, when it cannot lead out of the directory.
  static func relativePath(_ name: String) throws(Diagnostic) -> String {
    let relative = name.dropFirst(prefix.count)
    let parts = relative.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = parts.allSatisfy { $0 != "" && $0 != "." && $0 != ".." && !$0.contains("\0") }
    guard name.hasPrefix(prefix), isPlain else {
      throw Diagnostic(
        "the weight file is named \"\(name)\"; expected \"\(prefix)\" and a path below the model's"
          + " directory, without `.` and `..`", rule: "blob-path")
    }
    return String(relative)
  }

  /// The file at a relative path, opened once; `nil` when there is no directory to look in.
  mutating func file(at relative: String) throws(Diagnostic) -> BlobFile? {
    guard let root else { return nil }
    if let known = files[relative] { return try known.get() }
    let opened = Result { () throws(Diagnostic) in
      try BlobFile(path: try Self.resolve(relative, below: root))
    }
    files[relative] = opened
    return try opened.get()
  }

  /// The real path, links followed, which must still be below the real directory.
  private static func resolve(_ relative: String, below root: String) throws(Diagnostic) -> String {
    guard let directory = realPath(root) else {
      throw Diagnostic(
        "the model's directory \(root) cannot be opened: \(String(cString: strerror(errno)))",
        rule: "blob-path")
    }
    guard let path = realPath(directory + "/" + relative) else {
      throw Diagnostic(
        "weight file \(relative) of \(root): \(String(cString: strerror(errno)))",
        rule: "blob-path")
    }
    guard path.hasPrefix(directory == "/" ? "/" : directory + "/") else {
      throw Diagnostic(
        "weight file \(relative) is a link that leaves the model's directory \(root); put the file"
          + " there", rule: "blob-path")
    }
    return path
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

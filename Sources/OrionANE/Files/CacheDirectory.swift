#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where Orion keeps what it compiled, and the names of the rooms in it.
struct CacheDirectory: Sendable {
  let path: String

  /// `explicit`, else `$ORION_CACHE`, else `~/.cache/orion`. Created when missing; must be writable.
  init(_ explicit: String?) throws(OrionError) {
    let (path, origin) = try Self.resolve(explicit)
    self.path = path
    try FileSystem.makeDirectory(path, for: "cache directory (\(origin))")
    guard access(path, W_OK | X_OK) == 0 else {
      throw OrionError(
        .file,
        "cache directory \(path) (\(origin)): not writable; set ORION_CACHE to a directory you own")
    }
  }

  /// The directory and where its name came from; nothing is created.
  static func resolve(_ explicit: String?) throws(OrionError) -> (path: String, origin: String) {
    if let explicit, !explicit.isEmpty { return (explicit, "as given") }
    if let value = environment("ORION_CACHE") { return (value, "ORION_CACHE") }
    guard let home = environment("HOME") else {
      throw OrionError(
        .file, "cache directory: neither ORION_CACHE nor HOME is set; set ORION_CACHE")
    }
    return (home + "/.cache/orion", "the default")
  }

  private static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// Compiled programs of `cpu`, one directory a key.
  var programs: String { path + "/cpu" }
  /// Packed weights of `cpu`, shared by programs.
  var packs: String { path + "/cpu/packs" }
  /// Stable model directories for the device.
  var models: String { path + "/models" }
  /// Model directories of programs whose weights are written in place, one a program and process.
  var privateModels: String { path + "/private" }
  /// Remembered SHA-256 of files.
  var identities: String { path + "/identity" }
  var identity: FileIdentity { FileIdentity(directory: identities) }
  /// Locks that writers of one entry take.
  var locks: String { path + "/locks" }
}

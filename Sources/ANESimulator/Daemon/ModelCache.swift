/// Where compiled programs lie between calls and between processes, and when one is out of date. It
/// knows nothing of what is in them.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a client says of a model when it asks for something.
struct ModelSource: Sendable {
  /// The message that asks, for errors.
  let method: String
  /// The model directory, from the root.
  let directory: String
  let key: String
  /// The value of kANEFModelType.
  let type: String?
  /// The value of kANEFNetPlistFilenameKey, or what the type gives.
  let fileName: String
  /// Of a model in memory: what its contents hash to. Then directory and key do not name it.
  var identity: String?
  /// The value of kANEFPerformanceStatsMask.
  var statsMask: UInt32 = 0

  var path: String { "\(directory)/\(fileName)" }
}

struct ModelCache: Sendable {
  /// `<cacheDirectory>/sim/<profile>/<OS build>`: a new build starts with an empty cache.
  let root: String

  init(directory: String, profile: String, osBuild: String) throws(SimulatorError) {
    root = "\(directory)/sim/\(profile)/\(osBuild)"
    guard Files.makeDirectory(packs) else {
      throw SimulatorError(
        "the simulator's cache \(packs) cannot be made: \(Files.lastError);"
          + " give a directory that can be written")
    }
  }

  /// Packed weights, shared by all programs.
  var packs: String { "\(root)/packs" }

  /// The directory of one model's compiled program: by the model's path, then by its key.
  func entry(of source: ModelSource) -> String {
    if let identity = source.identity { return "\(root)/InMemoryModelCache/\(name(identity))" }
    return "\(root)/ModelAssetsCache/\(name(source.directory))/\(name(source.key))"
  }

  func program(_ entry: String) -> String { "\(entry)/program.orion" }

  func holds(_ source: ModelSource) -> Bool { Files.changed(program(entry(of: source))) != nil }

  /// The compiled program is older than the model directory. Writing into a file of the directory
  /// does not make it so, renaming one into it does. A model in memory is never out of date.
  func isStale(_ source: ModelSource) -> Bool {
    guard source.identity == nil, let compiled = Files.changed(program(entry(of: source))),
      let model = Files.changed(source.directory)
    else { return false }
    return compiled < model
  }

  /// Leaves the directory, in which another process may be writing.
  func remove(_ source: ModelSource) { unlink(program(entry(of: source))) }

  /// A file name for any text: 128 bits of FNV-1a.
  private func name(_ text: String) -> String {
    var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    for byte in text.utf8 {
      hash ^= UInt128(byte)
      hash &*= 0x0000_0000_0100_0000_0000_0000_0000_013b
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
  }
}

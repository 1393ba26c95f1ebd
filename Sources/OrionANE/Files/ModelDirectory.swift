#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory with a program's text and its weights under the names that the text uses, which stays where
/// it is: the device's daemon compares its dates and forgets programs whose directory has gone.
struct ModelDirectory: Sendable {
  static let textFile = "model.mil"
  /// The usual name; a text may name its weights otherwise.
  static let weightFile = "weights.bin"

  let path: String

  /// Makes the directory, or repairs what differs from the source; what is right is not touched.
  init(
    _ key: String, _ source: ProgramSource, weightsHash: String?, caches: CacheDirectory,
    identity: FileIdentity
  ) throws(OrionError) {
    let path = "\(caches.models)/\(key)"
    self.path = path
    let weights = try WeightLinks(source)
    guard !Self.isRight(path, source, weights, weightsHash, identity) else { return }
    try FileLock.hold(key, in: caches.locks) { () throws(OrionError) in
      guard !Self.isRight(path, source, weights, weightsHash, identity) else { return }
      try FileSystem.makeDirectory(path, for: "model directory")
      for link in weights.links {
        let target = "\(path)/\(link.name)"
        let folder = target.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        try FileSystem.makeDirectory(folder.joined(separator: "/"), for: "weights' directory")
        try FileSystem.link(link.path, to: target)
      }
      try FileSystem.write(source.text, to: "\(path)/\(Self.textFile)")
    }
  }

  private static func isRight(
    _ path: String, _ source: ProgramSource, _ weights: WeightLinks, _ weightsHash: String?,
    _ identity: FileIdentity
  ) -> Bool {
    guard FileSystem.read("\(path)/\(textFile)") == source.text else { return false }
    guard weightsHash != nil else { return true }
    // A file that is missing has no hash, and the directory is not right.
    let found = (try? weights.hash(in: path, identity)) ?? nil
    return found == weightsHash
  }
}

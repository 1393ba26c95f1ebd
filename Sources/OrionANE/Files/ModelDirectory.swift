#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory with a program's text and its weights under the names that the text uses, which stays where
/// it is: the device's daemon compares its dates and forgets programs whose directory has gone.
struct ModelDirectory: Sendable {
  static let textFile = "model.mil"
  static let weightFile = "weights.bin"

  let path: String

  /// Makes the directory, or repairs what differs from the source; what is right is not touched.
  init(
    _ key: String, _ source: ProgramSource, weightsHash: String?, caches: CacheDirectory,
    identity: FileIdentity
  ) throws(OrionError) {
    let path = "\(caches.models)/\(key)"
    self.path = path
    guard !Self.isRight(path, source, weightsHash, identity) else { return }
    try FileLock.hold(key, in: caches.locks) { () throws(OrionError) in
      guard !Self.isRight(path, source, weightsHash, identity) else { return }
      try FileSystem.makeDirectory(path, for: "model directory")
      if let weights = source.weights {
        try FileSystem.link(weights, to: "\(path)/\(Self.weightFile)")
      }
      try FileSystem.write(source.text, to: "\(path)/\(Self.textFile)")
    }
  }

  private static func isRight(
    _ path: String, _ source: ProgramSource, _ weightsHash: String?, _ identity: FileIdentity
  ) -> Bool {
    guard FileSystem.read("\(path)/\(textFile)") == source.text else { return false }
    guard let weightsHash else { return true }
    let found = try? identity.hex(of: "\(path)/\(weightFile)", as: "weights")
    return found == weightsHash
  }
}

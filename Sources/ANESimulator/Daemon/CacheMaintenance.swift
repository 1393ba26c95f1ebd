/// What the daemon does to its cache once a day: programs whose models have gone go too, and then packed
/// weights that no program names.

import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension ModelCache {
  static let daySeconds = 86_400.0

  /// Which file remembers where an entry's model is.
  private static let sourceFile = "source"
  /// Its date is the time of the last maintenance.
  private var stamp: String { "\(root)/maintained" }

  /// Remembers where the entry's model is. One that cannot be written leaves an entry that stays.
  func remember(_ source: ModelSource) {
    guard source.identity == nil else { return }
    var path = source.directory
    path.withUTF8 {
      _ = Files.write(
        UnsafeRawBufferPointer($0), to: "\(entry(of: source))/\(ModelCache.sourceFile)")
    }
  }

  /// Looks after the cache when that was last done a day or longer ago, by this machine's clock.
  func maintainDaily() {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    guard let last = Files.changed(stamp) else {
      mark()
      return
    }
    guard Double(now.tv_sec - last.0) >= ModelCache.daySeconds else { return }
    maintain()
  }

  func maintain() {
    mark()
    for model in entries(in: "\(root)/ModelAssetsCache") {
      for entry in entries(in: model) where isOrphan(entry) { Files.removeTree(entry) }
      // Empty directories only.
      rmdir(model)
    }
    prunePacks()
  }

  private func mark() {
    _ = [UInt8]("its date is that of the last maintenance\n".utf8).withUnsafeBytes {
      Files.write($0, to: stamp)
    }
  }

  private func entries(in directory: String) -> [String] {
    Files.names(in: directory).map { "\(directory)/\($0)" }.filter { Files.isDirectory($0) }
  }

  private func isOrphan(_ entry: String) -> Bool {
    guard let bytes = Files.read("\(entry)/\(ModelCache.sourceFile)"),
      let path = String(validating: bytes, as: UTF8.self)
    else { return false }
    return !Files.isDirectory(path)
  }

  /// Packs no program names. One made a moment ago may belong to a compile that is not done.
  private func prunePacks() {
    let models = entries(in: "\(root)/ModelAssetsCache").flatMap { entries(in: $0) }
    let named = (models + entries(in: "\(root)/InMemoryModelCache")).flatMap {
      (try? CompiledProgram.packs(directory: $0)) ?? []
    }
    let kept = Set(named.map { "\($0).pack" })
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    for name in Files.names(in: packs) where !kept.contains(name) {
      guard let changed = Files.changed("\(packs)/\(name)"), now.tv_sec - changed.0 > 60 else {
        continue
      }
      unlink("\(packs)/\(name)")
    }
  }

  /// Changes one bit in the middle of the compiled program, where there is one.
  func flip(_ source: ModelSource) {
    let path = program(entry(of: source))
    guard var bytes = Files.read(path), !bytes.isEmpty else { return }
    bytes[bytes.count / 2] ^= 0x10
    _ = bytes.withUnsafeBytes { Files.write($0, to: path) }
  }
}

// What the tests of this target share: directories that go away, a library of stand-ins.

import Glibc
import Synchronization
import Testing

@testable import ANEProfiles
@testable import ANESimulator
@testable import OrionANE

/// A directory that goes when this does.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/orion-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw OrionError(.file, "mkdtemp") }
    path = String(cString: made)
  }

  deinit { Self.remove(path) }

  static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in FileSystem.names(in: path) { remove("\(path)/\(name)") }
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(path)/\(name)"
    try #require(TestFile.write(bytes, to: path))
    return path
  }
}

enum TestFile {
  static func write(_ bytes: [UInt8], to path: String) -> Bool {
    guard let file = fopen(path, "wb") else { return false }
    defer { fclose(file) }
    return fwrite(bytes, 1, bytes.count, file) == bytes.count
  }

  static func bytes(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "rb") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// Every file below a directory.
  static func all(below path: String) -> [String] {
    FileSystem.names(in: path).sorted().flatMap { name -> [String] in
      let entry = "\(path)/\(name)"
      return FileSystem.isDirectory(entry) ? all(below: entry) : [entry]
    }
  }

  /// Changes one bit in the middle, in place.
  static func flip(_ path: String) -> Bool {
    guard var bytes = bytes(path), !bytes.isEmpty else { return false }
    bytes[bytes.count / 2] ^= 0x10
    guard let file = fopen(path, "r+b") else { return false }
    defer { fclose(file) }
    return fwrite(bytes, 1, bytes.count, file) == bytes.count
  }
}

extension ForeignLibrary {
  /// The simulator's symbols.
  static func simulated(_ world: World) -> ForeignLibrary { SimulatedFramework.library(world) }

  /// This library without some symbols, or with others in their place.
  func changed(
    name: String? = nil, _ change: @escaping @Sendable (String) -> Replacement
  ) -> ForeignLibrary {
    let original = symbol
    return ForeignLibrary(
      name: name ?? self.name,
      symbol: { name in
        switch change(name) {
        case .keep: original(name)
        case .missing: nil
        case .other(let address): address.pointer
        }
      }, bind: bind, virtualSeconds: virtualSeconds, compiles: compiles, follow: follow)
  }

  enum Replacement: Sendable {
    case keep
    case missing
    case other(Address)
  }

  struct Address: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }
}

/// Objects retained and released through the table, where a test puts its own functions there.
enum RetainTally {
  static let retains = Atomic(0)
  static let releases = Atomic(0)

  static let retain: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = {
    retains.add(1, ordering: .relaxed)
    return $0
  }
  static let release: @convention(c) (UnsafeMutableRawPointer) -> Void = { _ in
    releases.add(1, ordering: .relaxed)
  }
}

extension Profile {
  /// This profile with another answer to what a load reads.
  func with(reload: Conduct.Reload) -> Profile {
    var changed = self
    changed.conduct.reload = reload
    return changed
  }

  /// This profile with room for fewer programs.
  func with(loadedProgramsMax: Int) -> Profile {
    var few = self
    few.limits.loadedProgramsMax = loadedProgramsMax
    return few
  }
}

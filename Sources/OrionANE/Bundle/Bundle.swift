#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A compiled model in a directory: its manifest, read and compared with the files. It runs nothing.
struct Bundle: Sendable {
  static let manifestName = "manifest.json"
  static let weightsName = "weights.bin"
  /// A manifest holds facts, not weights.
  private static let manifestBytesMax = 64 << 20

  let directory: String
  let manifest: Manifest

  /// SHA-256 of a file in hexadecimal.
  typealias Digest = (String) throws(OrionError) -> String

  /// Opens the bundle in `directory` for devices of `profile`; every file it lists is compared with its
  /// size and its SHA-256.
  init(directory: String, profile: String, digest: Digest) throws(OrionError) {
    guard FileSystem.isDirectory(directory) else {
      throw OrionError(
        .file, "bundle \(directory): not a directory; name a directory that orion compile made")
    }
    self.directory = directory
    let path = directory + "/" + Bundle.manifestName
    let root = ManifestField(try Bundle.readJSON(path), file: path)
    manifest = try Manifest(root, profile: profile)
    try ManifestChecks.check(manifest, root)
    for row in manifest.files { try check(row, digest) }
  }

  /// Where a file of the bundle is.
  func path(of name: String) -> String { directory + "/" + name }

  /// The weight file that the programs share, if there is one.
  var weights: String? {
    manifest.files.contains { $0.name == Bundle.weightsName } ? path(of: Bundle.weightsName) : nil
  }

  /// The text of a program's file.
  func text(of program: Manifest.ProgramRow) throws(OrionError) -> String {
    let path = path(of: program.file)
    guard let text = String(validating: try FileBytes.read(path), as: UTF8.self) else {
      throw OrionError(.file, "\(path): not UTF-8; build the bundle again (orion compile)")
    }
    return text
  }

  /// A relative path without a step upwards.
  static func staysInside(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return !name.utf8.contains(0)
      && parts.allSatisfy {
        !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
      }
  }

  private static func readJSON(_ path: String) throws(OrionError) -> JSONValue {
    let bytes = try FileBytes.read(path, atMost: manifestBytesMax)
    do {
      return try JSONReader.read(bytes)
    } catch {
      throw OrionError(
        .file,
        "\(path):\(error.line):\(error.column): not JSON: \(error.message)."
          + " Build the bundle again (orion compile).")
    }
  }

  private func check(_ row: Manifest.FileRow, _ digest: Digest) throws(OrionError) {
    let path = path(of: row.name)
    let remedy = "build the bundle again (orion compile)"
    guard FileSystem.isFile(path) else {
      throw OrionError(.file, "\(path): missing, though the manifest lists it; \(remedy)")
    }
    guard let real = FileBytes.realPath(path), let root = FileBytes.realPath(directory),
      real.hasPrefix(root == "/" ? root : root + "/")
    else {
      throw OrionError(.file, "\(path): a link that leaves the bundle's directory; \(remedy)")
    }
    let bytes = try FileBytes.count(path)
    guard bytes == row.bytes else {
      throw OrionError(
        .file, "\(path): expected \(row.bytes) bytes, got \(bytes); \(remedy)")
    }
    let actual = try digest(path)
    guard actual == row.sha256 else {
      throw OrionError(
        .file,
        "\(path): damaged; expected SHA-256 \(row.sha256), got \(actual); \(remedy)")
    }
  }
}

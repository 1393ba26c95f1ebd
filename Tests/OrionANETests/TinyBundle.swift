import CKernels
import Testing

@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A `TinyModel` written to a directory of its own, which goes away with the object.
final class TinyBundle {
  let model: TinyModel
  let path: String

  init(_ model: TinyModel = TinyModel()) throws {
    self.model = model
    var template = Array("/tmp/orion-bundle-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
    try write("weights.bin", model.weights)
    for name in programNames { try write(name + ".mil", Array(name.utf8)) }
    try write("manifest.json", Array(manifest.text.utf8))
  }

  deinit {
    _ = system("rm -rf '\(path)'")
  }

  /// The manifest as it should be.
  var manifest: JSONValue {
    let files = (["weights.bin"] + programNames.map { $0 + ".mil" }).compactMap { name in
      (try? FileBytes.read(path + "/" + name)).map { bytes in
        JSONMember(
          name, ["bytes": JSONValue(bytes.count), "sha256": .string(TinyBundle.digest(bytes))])
      }
    }
    return model.manifest(files: files)
  }

  var programNames: [String] {
    guard case .array(let programs)? = model.manifest(files: [])["programs"] else { return [] }
    return programs.compactMap {
      guard case .string(let name)? = $0["name"] else { return nil }
      return name
    }
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = try #require(fopen(path + "/" + name, "wb"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  func write(_ manifest: JSONValue) throws {
    try write("manifest.json", Array(manifest.text.utf8))
  }

  func open(profile: String = "cpu") throws(OrionError) -> Bundle {
    try Bundle(directory: path, profile: profile, digest: SHA256.hex(ofFile:))
  }

  /// SHA-256 in hexadecimal.
  static func digest(_ bytes: [UInt8]) -> String {
    var hash = orion_sha256()
    var digest = [UInt8](repeating: 0, count: 32)
    orion_sha256_start(&hash)
    orion_sha256_add(&hash, bytes, bytes.count)
    orion_sha256_finish(&hash, &digest)
    return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

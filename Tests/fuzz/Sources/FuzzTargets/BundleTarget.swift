@testable import OrionANE

/// Bundles: any bytes as manifest are read or refused, and JSON that is read is written to the same values.
enum BundleTarget {
  static func run(_ bytes: [UInt8]) -> CInt {
    guard let value = try? JSONReader.read(bytes) else { return 0 }
    let text = value.text
    guard let again = try? JSONReader.read(Array(text.utf8)) else {
      expect(false, "the written JSON cannot be read: \(text)")
      return 0
    }
    expect(again.text == text, "the written JSON changes when it is written again: \(text)")
    let root = ManifestField(value, file: "manifest.json")
    for profile in ["cpu", "m4-macos15"] {
      do throws(OrionError) {
        try ManifestChecks.check(try Manifest(root, profile: profile), root)
      } catch {
        expect(!error.message.isEmpty, "refused without a message")
      }
    }
    return 0
  }
}

/// What a compiled program depends on, as one hash.
enum ProgramKey {
  /// Raised when what is cached under a key changes its meaning.
  static let formatVersion = 1

  /// `weights` is their SHA-256, `target` the profile or the OS build. The text holds its own dialect.
  static func make(text: String, weights: String?, target: String, route: String) -> String {
    SHA256.hex(of: [text, weights ?? "", target, route, String(formatVersion)])
  }
}

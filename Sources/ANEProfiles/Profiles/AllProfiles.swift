/// The look-ups by name. The profiles themselves are one row each, beside this file.
extension Profile {
  public static let all: [Profile] = chips + [paper, cpu]
  /// Those that tell of a chip as it was seen, oldest first.
  public static let chips: [Profile] = [
    m1macOS15, m2macOS15, m4macOS15, m4MaxMacOS15, m5macOS26, m5MaxMacOS26,
  ]
  /// The profile that `sim` means when none is named.
  public static let standard = m4macOS15

  /// The profile called `name`, or `nil`.
  public static func named(_ name: String) -> Profile? { all.first { $0.name == name } }
}

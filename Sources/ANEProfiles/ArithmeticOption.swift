/// Another arithmetic for a profile, chosen behind its name: `m4-macos15+fp32`.
public enum ArithmeticOption: String, Sendable, CaseIterable {
  /// Nothing is rounded below fp32 and nothing saturates.
  case fp32
  /// Sigmoid, tanh and gelu from tables of straight lines.
  case tables
}

extension Profile {
  /// This profile with another arithmetic. It keeps its name, so that programs made for the profile run
  /// on it, and has a cache of its own.
  public func with(_ option: ArithmeticOption) -> Profile {
    var changed = self
    changed.option = option
    changed.osBuild += "+\(option.rawValue)"
    switch option {
    case .fp32: changed.arithmetic = .unrounded
    case .tables: changed.arithmetic.tabulates = true
    }
    return changed
  }

  /// The name with the option behind it.
  public var fullName: String { option.map { "\(name)+\($0.rawValue)" } ?? name }

  /// The profile that `text` names, with its option; `nil` when either is unknown.
  public static func reading(_ text: String) -> Profile? {
    let parts = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    guard let profile = named(String(parts[0])) else { return nil }
    guard parts.count > 1 else { return profile }
    return ArithmeticOption(rawValue: String(parts[1])).map { profile.with($0) }
  }
}

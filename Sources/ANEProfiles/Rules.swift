/// The known restrictions, all of them, and the look-up by id. The rows stand in `PaperRules.swift`
/// and `LaterRules.swift`; which of them hold where is each profile's `rules`.
extension Rule {
  public static let all: [Rule] = paper + later

  /// The rule called `id`, or `nil`.
  public static func named(_ id: String) -> Rule? { byID[id] }

  private static let byID = Dictionary(
    all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
}

/// The rules that hold on each profile, and how hard.
enum RuleLists {
  static let m4macOS15: [ProfileRule] =
    list(
      .error,
      "concat-arguments", "minimum-surface", "blob-offset", "gelu", "live-outputs", "wide-channels",
      "axis-limit", "matmul-inner", "rank-limit", "mandatory-arguments", "no-rsqrt",
      "int32-compute", "no-path", "blob-files", "width-fault", "sole-identity", "address-space",
      "in-out-alias", "queue-depth")
    + list(.warning, "sdpa-mask", "named-constants", "conv-bias", "finite-mask")
    + list(
      .note,
      "uniform-outputs", "output-order", "program-limit", "weights-baked", "mil-text-type",
      "weights-dictionary", "restart-cost", "conv-over-matmul", "uniform-inputs", "input-order",
      "packed-read", "fp32-io", "dialect", "mac-saturation", "failed-compile-pacing",
      "softmax-axis", "working-set")

  private static func list(_ severity: Severity, _ ids: String...) -> [ProfileRule] {
    ids.map { ProfileRule(id: $0, severity: severity) }
  }
}

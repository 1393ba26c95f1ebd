/// How hard each rule is on each profile. A rule that was never seen on a chip is a note there.
enum RuleLists {
  static let m4 = everywhere + list(.error, "width-fault", "no-rsqrt")

  static let m5 = everywhere + list(.note, "width-fault", "no-rsqrt")

  static let m5Max = everywhere + list(.error, "no-rsqrt") + list(.note, "width-fault")

  static let m2 = changed(
    everywhere + list(.warning, "width-slice") + list(.note, "no-rsqrt"),
    list(.error, "fp32-io", "dialect") + list(.warning, "no-nan"))

  static let m1 = changed(
    m2, list(.error, "dynamic-conv-batch") + list(.warning, "wide-fan-in"))

  /// Each of the twenty as the paper states it.
  static let paper = changed(
    everywhere + list(.error, "no-rsqrt"),
    list(.error, "named-constants", "conv-bias")
      + list(
        .warning, "uniform-outputs", "uniform-inputs", "output-order", "input-order",
        "blob-offset"))

  private static let everywhere =
    list(
      .error,
      "concat-arguments", "minimum-surface", "blob-offset", "gelu", "live-outputs", "wide-channels",
      "axis-limit", "matmul-inner", "rank-limit", "mandatory-arguments", "int32-compute", "no-path",
      "blob-files", "sole-identity", "address-space")
    + list(.warning, "sdpa-mask", "named-constants", "conv-bias", "finite-mask")
    + list(
      .note,
      "uniform-outputs", "output-order", "program-limit", "weights-baked", "mil-text-type",
      "weights-dictionary", "restart-cost", "conv-over-matmul", "uniform-inputs", "input-order",
      "packed-read", "in-out-alias", "queue-depth", "fp32-io", "dialect", "mac-saturation",
      "failed-compile-pacing",
      "softmax-axis", "working-set", "dynamic-conv-batch", "no-nan", "wide-fan-in")

  /// `rules`, with other severities for some of them.
  private static func changed(_ rules: [ProfileRule], _ changes: [ProfileRule]) -> [ProfileRule] {
    let kept = rules.filter { rule in !changes.contains { $0.id == rule.id } }
    return kept + changes
  }

  private static func list(_ severity: Severity, _ ids: String...) -> [ProfileRule] {
    ids.map { ProfileRule(id: $0, severity: severity) }
  }
}

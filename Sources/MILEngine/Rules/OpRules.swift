/// Rules about which ops are used and on what.

extension RuleCheck {
  static let opChecks: [RuleCheck] = [
    RuleCheck(id: "no-path") { refusedOps($0, rule: "no-path") },
    RuleCheck(id: "no-rsqrt") { refusedOps($0, rule: "no-rsqrt") },
    RuleCheck(id: "int32-compute", run: integerCompute),
    RuleCheck(id: "sdpa-mask", run: ignoredMasks),
    RuleCheck(id: "conv-bias", run: convolutionBiases),
    RuleCheck(id: "finite-mask", run: infiniteMasks),
  ]

  /// The profile says which ops are refused, and by which rule.
  private static func refusedOps(_ subject: RuleSubject, rule: String) -> [RuleFinding] {
    let refused = Set(subject.profile.refusedOps.filter { $0.rule == rule }.map(\.op))
    return subject.statements.filter { refused.contains($0.op) }.map { statement in
      RuleFinding(
        "`\(statement.op)` has no way onto the engine of \(subject.profile.name)",
        at: statement.operation.opSpan)
    }
  }

  private static func integerCompute(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      if let result = statement.outputs.first(where: { $0.type.dtype == .int32 }) {
        return RuleFinding(
          "`\(statement.op)` gives int32 `\(result.name)`, but the engine computes on floats",
          at: statement.operation.opSpan)
      }
      let given = statement.operands.first {
        $0.value.constant == nil && $0.value.type.dtype == .int32
      }
      return given.map { given in
        RuleFinding(
          "`\(statement.op)` takes int32 `\(given.value.name)` at run time, but the engine computes"
            + " on floats", at: statement.span(of: given.argument))
      }
    }
  }

  private static func ignoredMasks(_ subject: RuleSubject) -> [RuleFinding] {
    given("attn_mask", to: ["scaled_dot_product_attention"], in: subject) {
      "`\($0)` is given `attn_mask`, which the engine ignores: attention would see every position"
    }
  }

  private static func convolutionBiases(_ subject: RuleSubject) -> [RuleFinding] {
    given("bias", to: ["conv", "conv_transpose"], in: subject) {
      "`\($0)` is given `bias`, which the direct path was seen refusing"
    }
  }

  private static func given(
    _ argument: String, to ops: Set<String>, in subject: RuleSubject,
    _ message: (String) -> String
  ) -> [RuleFinding] {
    subject.statements
      .filter { ops.contains($0.op) && $0.argument(argument) != nil }
      .map { RuleFinding(message($0.op), at: $0.span(of: argument)) }
  }

  /// Constants of the text with -inf where masks are joined to scores.
  private static func infiniteMasks(_ subject: RuleSubject) -> [RuleFinding] {
    let masks = [
      "add": ["x", "y"], "select": ["a", "b"], "scaled_dot_product_attention": ["attn_mask"],
    ]
    return subject.statements.flatMap { statement in
      (masks[statement.op] ?? []).compactMap { name in
        guard statement.constant(name)?.numbers.contains(-.infinity) == true else { return nil }
        return RuleFinding(
          "`\(statement.op)` is given -inf in constant `\(name)`, expected a finite mask",
          at: statement.span(of: name))
      }
    }
  }
}

/// Rules about which ops are used and on what.

extension RuleCheck {
  static let opChecks: [RuleCheck] = [
    RuleCheck(id: "no-path") { refusedOps($0, rule: "no-path") },
    RuleCheck(id: "no-rsqrt") { refusedOps($0, rule: "no-rsqrt") },
    RuleCheck(id: "int32-compute", run: integerCompute),
    RuleCheck(id: "sdpa-mask", run: ignoredMasks),
    RuleCheck(id: "conv-bias", run: convolutionBiases),
    RuleCheck(id: "finite-mask", run: infiniteMasks),
    RuleCheck(id: "no-nan", run: notANumbers),
    RuleCheck(id: "width-slice", run: lateSlices),
    RuleCheck(id: "softmax-axis", run: oddSoftmaxes),
    RuleCheck(id: "wide-fan-in", run: wideMeetings),
  ]

  /// The profile says which ops are refused, and by which rule.
  private static func refusedOps(_ subject: RuleSubject, rule: String) -> [RuleFinding] {
    subject.profile.refusedOps.filter { $0.rule == rule }.flatMap { subject.refusals($0.op) }
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

  private static func notANumbers(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.flatMap { statement in
      statement.operands.compactMap { argument, value in
        guard let source = value.constant, value.type.dtype.isFloat,
          let content = ConstantValue(type: value.type, source: source),
          content.numbers.contains(where: \.isNaN)
        else { return nil }
        return RuleFinding(
          "`\(argument)` of `\(statement.op)` holds NaN, which no result shows",
          at: statement.span(of: argument))
      }
    }
  }

  /// Slices of the last axis whose start is known and not 0.
  private static func lateSlices(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      guard ["slice_by_index", "slice_by_size"].contains(statement.op),
        let begin = statement.constant("begin")?.numbers.last, begin != 0
      else { return nil }
      return RuleFinding(
        "`\(statement.op)` starts at \(Int(begin)) of the last axis, where magnitudes above 4094"
          + " become infinite", at: statement.span(of: "begin"))
    }
  }

  private static func oddSoftmaxes(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      guard statement.op == "softmax", let shape = statement.operands("x").first?.type.shape,
        let given = statement.constant("axis")?.numbers.first
      else { return nil }
      let axis = Int(given) + (given < 0 ? shape.count : 0)
      guard shape.indices.contains(axis), shape[axis].nonzeroBitCount != 1 else { return nil }
      return RuleFinding(
        "`softmax` runs over \(shape[axis]) elements, expected a power of two",
        at: statement.operation.opSpan)
    }
  }

  private static func wideMeetings(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.fanInMax
    return subject.functions.flatMap { function in
      function.statements.compactMap { statement in
        let branches = FunctionTraits.branches(of: statement.node, in: function.checked)
        guard branches > limit else { return nil }
        return RuleFinding(
          "\(branches) branches meet in `\(statement.op)`, which compiles slowly above \(limit)",
          at: statement.operation.opSpan)
      }
    }
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

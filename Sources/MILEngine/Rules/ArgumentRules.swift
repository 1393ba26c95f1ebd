/// Rules about how arguments are written.

extension RuleCheck {
  static let argumentChecks: [RuleCheck] = [
    RuleCheck(id: "mandatory-arguments", run: missingArguments),
    RuleCheck(id: "concat-arguments", run: concatenations),
    RuleCheck(id: "gelu", run: gelus),
    RuleCheck(id: "named-constants", run: inlineFlags),
  ]

  /// Arguments that MIL lets a text leave out and the device's compiler does not.
  private static let mandatory: [(ops: [String], arguments: [String])] = [
    (["rsqrt", "log", "inverse"], ["epsilon"]),
    (["softmax"], ["axis"]),
    (["matmul"], ["transpose_x", "transpose_y"]),
    (
      [
        "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_l1_norm",
        "reduce_l2_norm", "reduce_sum_square", "reduce_log_sum", "reduce_log_sum_exp",
      ], ["axes", "keep_dims"]
    ),
    (["conv", "conv_transpose"], ["strides", "pad_type", "pad", "dilations", "groups"]),
  ]

  private static let mandatoryByOp: [String: [String]] = Dictionary(
    uniqueKeysWithValues: mandatory.flatMap { row in row.ops.map { ($0, row.arguments) } })

  private static func missingArguments(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      let missing = (mandatoryByOp[statement.op] ?? []).filter { statement.argument($0) == nil }
      guard !missing.isEmpty else { return nil }
      let list = missing.map { "`\($0)`" }.joined(separator: ", ")
      return RuleFinding(
        "`\(statement.op)` lacks \(list), which the device's compiler does not fill in",
        at: statement.operation.opSpan)
    }
  }

  private static func concatenations(_ subject: RuleSubject) -> [RuleFinding] {
    guard !subject.refuses("concat") else {
      return subject.refusals("concat")
    }
    return subject.statements.filter { $0.op == "concat" }.map { statement in
      let wrong = ["axis", "interleave"].filter {
        guard case .reference = statement.argument($0)?.value else { return true }
        return false
      }
      guard !wrong.isEmpty else {
        return RuleFinding(
          "`concat` is refused by some chips even in its full form, as here",
          at: statement.operation.opSpan, atMost: .note,
          remedy: "return the parts, or split the op that reads them")
      }
      let list = wrong.map { name in
        "`\(name)` is \(statement.argument(name) == nil ? "missing" : "written inline")"
      }
      return RuleFinding(
        "`concat` needs `axis` and `interleave` as named constants, but"
          + " \(list.joined(separator: " and "))", at: statement.operation.opSpan)
    }
  }

  private static func gelus(_ subject: RuleSubject) -> [RuleFinding] {
    guard !subject.refuses("gelu") else {
      return subject.refusals("gelu")
    }
    return subject.statements
      .filter { $0.op == "gelu" && $0.argument("mode") == nil }
      .map { RuleFinding("`gelu` lacks `mode`", at: $0.operation.opSpan) }
  }

  private static func inlineFlags(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.flatMap { statement in
      statement.operation.arguments.compactMap { argument in
        guard case .literal(let literal) = argument.value, case .tensor(.bool, _) = literal.type
        else { return nil }
        return RuleFinding(
          "`\(argument.name)` of `\(statement.op)` is an inline bool, expected a named constant",
          at: argument.span)
      }
    }
  }
}

/// Rules about the sizes of tensors.

extension RuleCheck {
  static let sizeChecks: [RuleCheck] = [
    RuleCheck(id: "minimum-surface", run: narrowPorts),
    RuleCheck(id: "wide-channels", run: wideChannels),
    RuleCheck(id: "axis-limit", run: longAxes),
    RuleCheck(id: "matmul-inner", run: longProducts),
    RuleCheck(id: "rank-limit", run: highRanks),
    RuleCheck(id: "width-fault", run: faultyWidths),
  ]

  /// Widths known to fault although they are under the limit.
  private static let faultyWidthRange = 14_593...14_622

  private static func narrowPorts(_ subject: RuleSubject) -> [RuleFinding] {
    let limits = subject.profile.limits
    return subject.functions.flatMap { function in
      let narrow = function.ports.compactMap { kind, value in
        let width = value.type.shape.last ?? 1
        let port = "\(kind) `\(value.name)` is \(width) wide"
        if width < limits.widthMin {
          return RuleFinding("\(port), expected at least \(limits.widthMin)", at: value.span)
        }
        guard width % limits.widthMultiple != 0 else { return nil }
        return RuleFinding(
          "\(port), expected a multiple of \(limits.widthMultiple)", at: value.span)
      }
      return narrow + slowPort(of: function, multiple: limits.widthMultiple)
    }
  }

  /// Rows of twice the multiple were measured faster. One finding speaks for all ports of a function.
  private static func slowPort(of function: RuleFunction, multiple: Int) -> [RuleFinding] {
    let slow = function.ports.filter {
      let width = $0.value.type.shape.last ?? 1
      return multiple > 1 && width % multiple == 0 && width % (multiple * 2) != 0
    }
    guard let (kind, value) = slow.first else { return [] }
    let others = slow.count > 1 ? " (and \(slow.count - 1) more like it)" : ""
    return [
      RuleFinding(
        "\(kind) `\(value.name)` is \(value.type.shape.last ?? 1) wide\(others), which works but is"
          + " slower", at: value.span, atMost: .note,
        remedy: "a multiple of \(multiple * 2) is faster")
    ]
  }

  private static func wideChannels(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.axisChannelsMax
    return values(of: subject) { value, span in
      guard let channels = value.type.shape.dropLast(2).last, channels > limit else { return nil }
      return RuleFinding(
        "`\(value.name)` has \(channels) channels, expected at most \(limit)", at: span)
    }
  }

  private static func longAxes(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.axisWidthMax
    return values(of: subject) { value, span in
      let shape = value.type.shape
      let axis = shape.indices.first { shape[$0] > limit && $0 != shape.count - 3 }
      return axis.map {
        RuleFinding(
          "axis \($0) of `\(value.name)` is \(shape[$0]) long, expected at most \(limit)", at: span)
      }
    }
  }

  private static func highRanks(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.rankMax
    return values(of: subject) { value, span in
      let rank = value.type.shape.count
      guard rank > limit else { return nil }
      return RuleFinding("`\(value.name)` has \(rank) axes, expected at most \(limit)", at: span)
    }
  }

  private static func faultyWidths(_ subject: RuleSubject) -> [RuleFinding] {
    values(of: subject) { value, span in
      guard let width = value.type.shape.last, faultyWidthRange.contains(width) else { return nil }
      return RuleFinding(
        "`\(value.name)` is \(width) wide; widths from \(faultyWidthRange.lowerBound) to"
          + " \(faultyWidthRange.upperBound) fault", at: span)
    }
  }

  private static func longProducts(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.matmulInnerMax
    return subject.statements.compactMap { statement in
      guard let inner = innerSize(of: statement), inner > limit else { return nil }
      return RuleFinding(
        "`\(statement.op)` sums over \(inner) products, expected at most \(limit)",
        at: statement.operation.opSpan)
    }
  }

  /// How many products each element of the result sums up, for matrix products.
  private static func innerSize(of statement: RuleStatement) -> Int? {
    guard let x = statement.operands("x").first?.type.shape else { return nil }
    switch statement.op {
    case "linear": return x.last
    case "matmul":
      let flips = statement.constant("transpose_x")?.numbers == [1] && x.count > 1
      return flips ? x.dropLast().last : x.last
    default: return nil
    }
  }

  /// Asks about every value that the engine would hold: inputs, results and constant operands. Small
  /// integer constants are parameters, not tensors.
  private static func values(
    of subject: RuleSubject, _ judge: (Value, SourceSpan) -> RuleFinding?
  ) -> [RuleFinding] {
    subject.functions.flatMap { function in
      function.checked.values.compactMap { value in
        let isTensor = value.constant == nil || value.type.dtype.isFloat
        return isTensor ? judge(value, value.span) : nil
      }
    }
  }
}

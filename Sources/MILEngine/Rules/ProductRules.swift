/// Rules about matrix products and convolutions.

extension RuleCheck {
  static let productChecks: [RuleCheck] = [
    RuleCheck(id: "matmul-inner", run: longProducts),
    RuleCheck(id: "dynamic-conv-batch", run: dynamicConvolutions),
    RuleCheck(id: "conv-over-matmul", isAboutUse: true, run: constantProducts),
    RuleCheck(id: "mac-saturation", isAboutUse: true, run: largeSums),
  ]

  private static let products: Set<String> = ["matmul", "linear", "conv", "conv_transpose"]

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

  private static func dynamicConvolutions(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      guard statement.op == "conv", let weight = statement.operands("weight").first,
        weight.constant == nil, let batch = statement.operands("x").first?.type.shape.first,
        batch > 1
      else { return nil }
      return RuleFinding(
        "`conv` takes weights at run time over a batch of \(batch), expected a batch of 1",
        at: statement.span(of: "weight"))
    }
  }

  /// Products by a constant matrix, which a 1x1 convolution can be.
  private static func constantProducts(_ subject: RuleSubject) -> [RuleFinding] {
    subject.statements.compactMap { statement in
      let isProduct =
        statement.op == "linear"
        || (statement.op == "matmul" && statement.operands("y").first?.constant != nil)
      guard isProduct else { return nil }
      return RuleFinding(
        "`\(statement.op)` multiplies by a constant, which is slower than a 1x1 convolution",
        at: statement.operation.opSpan)
    }
  }

  private static func largeSums(_ subject: RuleSubject) -> [RuleFinding] {
    guard let limit = subject.profile.arithmetic.macOverflowsAt else { return [] }
    return subject.statements.filter { products.contains($0.op) }.map { statement in
      RuleFinding(
        "a result of `\(statement.op)` that reaches \(Int(limit)) becomes infinite",
        at: statement.operation.opSpan)
    }
  }
}

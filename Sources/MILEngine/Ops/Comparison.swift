/// Ops that give truth values: comparisons and logic.

extension OpTable {
  static let comparisons: [OpRow] = [
    compare("equal"), compare("not_equal"), compare("greater"), compare("greater_equal"),
    compare("less"), compare("less_equal"),
    logic("logical_and"), logic("logical_or"), logic("logical_xor"),
    logicalNot,
  ]

  private static func compare(_ name: String) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        _ = try context.commonDType(["x", "y"], in: Kinds.numbers + [.bool])
        return [try context.broadcastResult(.bool, ["x", "y"])]
      },
      lower: Lowering.unplanned)
  }

  private static func logic(_ name: String) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        _ = try context.commonDType(["x", "y"], in: [.bool])
        return [try context.broadcastResult(.bool, ["x", "y"])]
      },
      lower: Lowering.unplanned)
  }

  private static let logicalNot = OpRow(
    "logical_not", [.value("x")],
    infer: { context throws(Diagnostic) in [try context.type("x", in: [.bool])] },
    lower: Lowering.unplanned)
}

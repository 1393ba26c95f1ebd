/// Ops that give truth values: comparisons and logic.

extension OpTable {
  static let comparisons: [OpRow] = [
    compare("equal") { $0 == $1 },
    compare("not_equal") { $0 != $1 },
    compare("greater") { $0 > $1 },
    compare("greater_equal") { $0 >= $1 },
    compare("less") { $0 < $1 },
    compare("less_equal") { $0 <= $1 },
    logic("logical_and") { $0 && $1 },
    logic("logical_or") { $0 || $1 },
    logic("logical_xor") { $0 != $1 },
    logicalNot,
  ]

  /// A double holds every fp32 and int32.
  private static func compare(
    _ name: String, _ holds: @escaping @Sendable (Double, Double) -> Bool
  ) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        _ = try context.commonDType(["x", "y"], in: Kinds.numbers + [.bool])
        return [try context.broadcastResult(.bool, ["x", "y"])]
      },
      lower: { lowering, node throws(Diagnostic) in
        let isFloat = lowering.type(try lowering.required(node, "x")).dtype.isFloat
        try lowering.mapWords(node, ["x", "y"]) { x, y, _ in
          isFloat
            ? Words.word(holds(Double(Words.float(x)), Double(Words.float(y))))
            : Words.word(holds(Double(Words.signed(x)), Double(Words.signed(y))))
        }
      })
  }

  private static func logic(
    _ name: String, _ holds: @escaping @Sendable (Bool, Bool) -> Bool
  ) -> OpRow {
    OpRow(
      name, [.value("x"), .value("y")],
      infer: { context throws(Diagnostic) in
        _ = try context.commonDType(["x", "y"], in: [.bool])
        return [try context.broadcastResult(.bool, ["x", "y"])]
      },
      lower: { lowering, node throws(Diagnostic) in
        try lowering.mapWords(node, ["x", "y"]) { x, y, _ in Words.word(holds(x != 0, y != 0)) }
      })
  }

  private static let logicalNot = OpRow(
    "logical_not", [.value("x")],
    infer: { context throws(Diagnostic) in [try context.type("x", in: [.bool])] },
    lower: { lowering, node throws(Diagnostic) in
      try lowering.mapWords(node, ["x"]) { x, _, _ in Words.word(x == 0) }
    })
}

/// Mends for the rules of `ArgumentRules.swift`: what MIL lets a text leave out is written out, and what
/// stands inline gets a name.

extension RuleFix {
  static let argumentFixes: [RuleFix] = [
    RuleFix(id: "mandatory-arguments") { site in
      // An op that is written otherwise needs no arguments more.
      guard let statement = site.statement, !site.isRewritten(statement.op) else { return nil }
      return site.adding(defaults(of: statement.op).filter { statement.argument($0.name) == nil })
    },
    RuleFix(id: "gelu") { $0.adding([Default("mode", .word("EXACT"))]) },
    RuleFix(id: "concat-arguments", make: nameConcatArguments),
    RuleFix(id: "named-constants") { site in
      guard let statement = site.statement,
        let argument = statement.operation.arguments.first(where: { $0.span == site.span })
      else { return nil }
      return site.naming([argument])
    },
  ]

  /// What MIL takes for an argument that is left out.
  fileprivate struct Default {
    enum Value {
      case flag(Bool)
      case integer(Int)
      case word(String)
      /// A number of the type of `x`.
      case number(String)
      /// One number for each spatial axis of `x`, so often.
      case spatial(Int, times: Int)
      /// All axes of `x`.
      case allAxes
    }
    let name: String
    let value: Value
    init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  private static let defaults: [(ops: [String], arguments: [Default])] = [
    (["rsqrt"], [Default("epsilon", .number("1e-12"))]),
    (["log"], [Default("epsilon", .number("1e-45"))]),
    (["inverse"], [Default("epsilon", .number("1e-4"))]),
    (["softmax"], [Default("axis", .integer(-1))]),
    (["matmul"], [Default("transpose_x", .flag(false)), Default("transpose_y", .flag(false))]),
    (
      [
        "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_l1_norm",
        "reduce_l2_norm", "reduce_sum_square", "reduce_log_sum", "reduce_log_sum_exp",
      ], [Default("axes", .allAxes), Default("keep_dims", .flag(false))]
    ),
    (
      ["conv", "conv_transpose"],
      [
        Default("strides", .spatial(1, times: 1)), Default("pad_type", .word("valid")),
        Default("pad", .spatial(0, times: 2)), Default("dilations", .spatial(1, times: 1)),
        Default("groups", .integer(1)),
      ]
    ),
  ]

  private static func defaults(of op: String) -> [Default] {
    defaults.first { $0.ops.contains(op) }?.arguments ?? []
  }

  private static func nameConcatArguments(_ site: FixSite) -> Fix? {
    guard let statement = site.statement, statement.argument("axis") != nil else { return nil }
    let written = ["axis", "interleave"].compactMap { statement.argument($0) }
    let inline = written.filter { if case .literal = $0.value { true } else { false } }
    let named = site.naming(inline)
    guard statement.argument("interleave") == nil else { return named }
    let added = site.adding([Default("interleave", .flag(false))])
    return Fix(
      "name the constants of `concat`", (named?.edits ?? []) + (added?.edits ?? []))
  }
}

extension FixSite {
  /// Adds arguments, each as a named constant.
  fileprivate func adding(_ defaults: [RuleFix.Default]) -> Fix? {
    guard let statement, !defaults.isEmpty else { return nil }
    var edits: [Fix.Edit] = []
    var arguments: [String] = []
    for entry in defaults {
      guard let (type, literal) = spelled(entry.value, for: statement) else { return nil }
      let name = constantName(entry.name, of: statement)
      edits.append(line(constant(name, type, literal), before: statement.operation))
      arguments.append("\(entry.name) = \(name)")
    }
    guard let place = statement.operation.arguments.last?.span.end else { return nil }
    edits.append(
      Fix.Edit(
        arguments.map { ", \($0)" }.joined(), at: SourceSpan(start: place, end: place)))
    let list = defaults.map { "`\($0.name)`" }.joined(separator: ", ")
    return Fix("write out \(list) of `\(statement.op)`", edits)
  }

  /// Gives inline literals a name.
  fileprivate func naming(_ arguments: [Argument]) -> Fix? {
    guard let statement, !arguments.isEmpty else { return nil }
    var edits: [Fix.Edit] = []
    for argument in arguments {
      guard case .literal(let literal) = argument.value else { return nil }
      let name = constantName(argument.name, of: statement)
      let type = text(of: literal.type)
      edits.append(line(constant(name, type, text(of: literal)), before: statement.operation))
      edits.append(Fix.Edit("\(argument.name) = \(name)", at: argument.span))
    }
    let list = arguments.map { "`\($0.name)`" }.joined(separator: ", ")
    return Fix("name the constant \(list)", edits)
  }

  private func constantName(_ argument: String, of statement: RuleStatement) -> String {
    freshName("\(statement.operation.outputs.first?.name ?? statement.op)_\(argument)")
  }

  private func spelled(
    _ value: RuleFix.Default.Value, for statement: RuleStatement
  ) -> (type: String, literal: String)? {
    func list(_ values: [Int]) -> (String, String) {
      (typeText(.int32, [values.count]), literal(.int32, values.map(String.init)))
    }
    func scalar(_ dtype: DType, _ text: String) -> (String, String) {
      (typeText(dtype), literal(dtype, [text], scalar: true))
    }
    let x = statement.operands("x").first?.type
    switch value {
    case .flag(let flag): return scalar(.bool, flag ? "true" : "false")
    case .integer(let number): return scalar(.int32, String(number))
    case .word(let word): return scalar(.string, "\"\(word)\"")
    case .number(let number):
      guard let dtype = x?.dtype, dtype.isFloat else { return nil }
      return scalar(dtype, number)
    case .allAxes:
      guard let axes = x?.shape.indices, !axes.isEmpty else { return nil }
      return list(Array(axes))
    case .spatial(let number, let times):
      let count = ((x?.shape.count ?? 0) - 2) * times
      return count > 0 ? list(Array(repeating: number, count: count)) : nil
    }
  }
}

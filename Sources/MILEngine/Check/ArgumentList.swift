/// The part of the check that matches the arguments of an operation with its op's parameters.

/// How arguments are written.
enum ArgumentList {
  /// Ops that run when the program is compiled; before ios18 their arguments stand among the attributes.
  static let constexprPrefix = "constexpr_"

  static func arguments(of operation: Operation) -> [Argument] {
    guard operation.op.hasPrefix(constexprPrefix) else { return operation.arguments }
    return operation.arguments + operation.attributes.filter { $0.name != "name" }
  }
}

extension FunctionChecker {
  /// The operands by parameter, or `nil` when something about them is faulty.
  mutating func operands(of operation: Operation, _ row: OpRow) -> [String: Operand]? {
    let arguments = ArgumentList.arguments(of: operation)
    var operands: [String: Operand] = [:]
    var isWhole = true
    var seen: Set<String> = []
    for argument in arguments {
      let isNew = seen.insert(argument.name).inserted
      if !isNew {
        fault(
          "argument `\(argument.name)` of `\(row.name)` is given twice; remove one",
          rule: "duplicate-argument", at: argument.span)
      }
      guard isNew, let parameter = knownParameter(argument, row),
        let operand = operand(argument, of: operation),
        isConstantEnough(operand, argument, parameter)
      else {
        isWhole = false
        continue
      }
      operands[argument.name] = operand
    }
    for parameter in row.parameters
    where parameter.presence == .required && !seen.contains(parameter.name) {
      isWhole = false
      fault(
        "`\(row.name)` needs argument `\(parameter.name)`, which is missing; it takes"
          + " \(row.parameterText)", rule: "missing-argument", at: operation.opSpan)
    }
    return isWhole ? operands : nil
  }

  /// What an argument was given, or `nil` when that is faulty.
  mutating func operand(_ argument: Argument, of operation: Operation) -> Operand? {
    let label = "\(operation.outputs.first?.name ?? operation.op).\(argument.name)"
    guard case .list(let members) = argument.value else {
      let isList = OpTable.row(named: operation.op)?.parameter(named: argument.name)?.isList == true
      return value(argument.value, argument.name, of: operation, label).map {
        isList ? .many([$0]) : .one($0)
      }
    }
    guard OpTable.row(named: operation.op)?.parameter(named: argument.name)?.isList != false else {
      fault(
        "argument `\(argument.name)` of `\(operation.op)` takes one value, but a list came",
        rule: "type-mismatch", at: argument.span)
      return nil
    }
    guard !members.isEmpty else {
      fault(
        "argument `\(argument.name)` of `\(operation.op)` is an empty list; name at least one value",
        rule: "type-mismatch", at: argument.span)
      return nil
    }
    var ids: [ValueID] = []
    for (index, member) in members.enumerated() {
      if let id = value(member, argument.name, of: operation, "\(label).\(index)") {
        ids.append(id)
      }
    }
    return ids.count == members.count ? .many(ids) : nil
  }

  /// The value of a reference, or a literal made a constant called `label`.
  private mutating func value(
    _ given: ArgumentValue, _ argument: String, of operation: Operation, _ label: String
  ) -> ValueID? {
    switch given {
    case .reference(let reference):
      switch meaning(of: reference) {
      case .value(let id): return id
      case .state(let index):
        return content(ofState: index, argument, of: operation, at: reference.span)
      case .other(let type):
        faults.append(DeclaredType(type, reference, version).refusal)
        return nil
      case .faulty: return nil
      }
    case .literal(let literal):
      var id: ValueID?
      attempt { (checker) throws(Diagnostic) in
        let (type, source) = try checker.decode(literal)
        id = checker.addValue(label, type, source, at: literal.span)
      }
      return id
    case .list: return nil
    }
  }

  private mutating func knownParameter(_ argument: Argument, _ row: OpRow) -> Parameter? {
    if let parameter = row.parameter(named: argument.name) { return parameter }
    let hint = suggestion(for: argument.name, among: row.parameters.map(\.name))
    fault(
      "`\(row.name)` has no argument `\(argument.name)`; \(hint ?? "it takes \(row.parameterText)")",
      rule: "unknown-argument", at: argument.span)
    return nil
  }

  private mutating func isConstantEnough(
    _ operand: Operand, _ argument: Argument, _ parameter: Parameter
  ) -> Bool {
    guard parameter.isConstant else { return true }
    if operand.ids.allSatisfy(isKnown) { return true }
    fault(
      "argument `\(argument.name)` must be constant, but a value that is computed at run time came;"
        + " give a `const` or a literal", rule: "not-constant", at: argument.span)
    return false
  }
}

extension OpRow {
  /// The names of the parameters, for messages.
  var parameterText: String { parameters.map { "`\($0.name)`" }.joined(separator: ", ") }
}

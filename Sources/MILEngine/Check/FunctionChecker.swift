/// Checks one function, or a block inside one: names, ops, arguments and types. Literals are
/// `LiteralDecoder`'s, states `StateChecking.swift`'s, what a block sees `BlockChecking.swift`'s.
struct FunctionChecker {
  /// What a name stands for.
  enum Name {
    case value(ValueID)
    /// A state of this number.
    case state(Int)
    /// A constant of a type that no op takes: a list, a dict, a tuple.
    case other(MILType)
    /// Defined, but by something faulty; its uses are not blamed.
    case faulty
  }

  let name: String
  let opset: String
  let parameters: [Binding]
  let body: Block
  let span: SourceSpan
  let version: String
  /// Sizes of the inputs whose types leave them open.
  let sizes: FlexibleSizes
  var weights: ModelDirectory
  var faults: [Diagnostic] = []
  var values: [Value] = []
  var nodes: [Node] = []
  var names: [String: Name] = [:]
  var places: [String: SourceSpan] = [:]
  var states: [CheckingState] = []
  /// The function or block around this block; `nil` for a function.
  var outer: OuterScope?
  /// Where the function first defines each name, seen from outside the order of statements.
  private let definitions: [String: SourceSpan]
  /// Values that are known when the program is compiled though no literal: results of ops that fold.
  var knownEarly: Set<ValueID> = []
  var decoded: [ValueID: ConstantValue] = [:]

  init(_ function: Function, version: String, weights: ModelDirectory) {
    (name, opset, span) = (function.name, function.opset, function.span)
    (parameters, body) = (function.parameters, function.body)
    sizes = FlexibleSizes(function)
    self.version = version
    self.weights = weights
    definitions = Self.definitions(in: function.body)
  }

  /// For a block inside an operation of what `outer` checks.
  init(_ block: NestedBlock, at span: SourceSpan, in outer: FunctionChecker) {
    (name, opset, self.span) = (block.name, outer.opset, span)
    (parameters, body) = (block.parameters, block.body)
    sizes = FlexibleSizes(isOpen: outer.sizes.isOpen)
    version = outer.version
    weights = outer.weights
    places = outer.places
    self.outer = OuterScope(outer)
    definitions = Self.definitions(in: block.body)
  }

  private static func definitions(in block: Block) -> [String: SourceSpan] {
    Dictionary(
      block.operations.flatMap(\.outputs).map { ($0.name, $0.span) },
      uniquingKeysWith: { first, _ in first })
  }

  mutating func run() -> CheckedFunction {
    if outer == nil { checkOpset(opset, at: span) }
    var inputs: [ValueID] = []
    for parameter in parameters {
      attempt { (checker) throws(Diagnostic) in
        if let id = try checker.input(parameter) { inputs.append(id) }
      }
    }
    for operation in body.operations { check(operation) }
    let outputs = self.outputs()
    return CheckedFunction(
      name: name, opset: opset, values: values, nodes: nodes,
      inputs: inputs + (outer?.captured.map(\.inside) ?? []), outputs: outputs,
      states: checkedStates)
  }

  // MARK: Faults

  /// Runs a step; a fault that it throws is kept.
  mutating func attempt(_ step: (inout FunctionChecker) throws(Diagnostic) -> Void) {
    do { try step(&self) } catch { faults.append(error) }
  }

  mutating func fault(_ message: String, rule: String, at span: SourceSpan) {
    faults.append(Diagnostic(message, rule: rule, at: span))
  }

  /// A guess at the name that was meant; a long list of faults goes without.
  func suggestion(for name: String, among known: some Sequence<String>) -> String? {
    faults.count < 50 ? Suggestion.text(for: name, among: known) : nil
  }

  mutating func checkOpset(_ opset: String, at span: SourceSpan) {
    if Checker.opsets.contains(opset) { return }
    fault(
      "opset `\(opset)` is not known; write one of \(Checker.opsets.joined(separator: ", "))",
      rule: "unknown-opset", at: span)
  }

  // MARK: Names

  /// Gives a name its meaning; a second definition is a fault.
  mutating func define(_ binding: Binding, as name: Name) {
    if let first = places[binding.name] {
      fault(
        "`\(binding.name)` is defined already, at line \(first.start.line); every value is defined"
          + " once: choose another name", rule: "single-assignment", at: binding.span)
      return
    }
    places[binding.name] = binding.span
    names[binding.name] = name
  }

  mutating func addValue(
    _ name: String, _ type: TensorType, _ constant: ConstantSource?, at span: SourceSpan
  ) -> ValueID {
    values.append(Value(name: name, type: type, constant: constant, span: span))
    return values.count - 1
  }

  /// What a use of a name means here; a name without meaning is a fault.
  mutating func meaning(of reference: Reference) -> Name {
    if let name = names[reference.name] ?? adopt(reference.name) { return name }
    if let later = definitions[reference.name] {
      fault(
        "`\(reference.name)` is used before line \(later.start.line) defines it; move the"
          + " definition up", rule: "use-before-definition", at: reference.span)
    } else {
      let hint = suggestion(for: reference.name, among: visibleNames)
      fault(
        "unknown value `\(reference.name)`; \(hint ?? "define it first")", rule: "unknown-value",
        at: reference.span)
    }
    return .faulty
  }

  func isKnown(_ id: ValueID) -> Bool { values[id].constant != nil || knownEarly.contains(id) }

  // MARK: Inputs and outputs

  private mutating func input(_ parameter: Binding) throws(Diagnostic) -> ValueID? {
    do throws(Diagnostic) {
      if case .state(let inner) = parameter.type {
        try state(parameter, inner)
        return nil
      }
      let type = try DeclaredType(sizes.closed(parameter), version: version).tensor()
      guard type.dtype != .string else {
        throw Diagnostic(
          "input `\(parameter.name)` is a string; expected numbers or bools",
          rule: "unsupported-type", at: parameter.span)
      }
      guard !type.shape.contains(0) else {
        throw Diagnostic(
          "input `\(parameter.name)` has no elements: its type is"
            + " \(type.text(version: version)); give every dimension at least 1",
          rule: "empty-dimension", at: parameter.span)
      }
      let id = addValue(parameter.name, type, nil, at: parameter.span)
      define(parameter, as: .value(id))
      return id
    } catch {
      define(parameter, as: .faulty)
      throw error
    }
  }

  private mutating func outputs() -> [ValueID] {
    var outputs: [ValueID] = []
    var seen: Set<String> = []
    if body.results.isEmpty, outer == nil, !states.contains(where: \.isWritten) {
      fault(
        "function `\(name)` returns nothing; name its results after `->`", rule: "no-output",
        at: span)
    }
    for result in body.results {
      // The values that a block gives have places, not names.
      guard seen.insert(result.name).inserted || outer != nil else {
        fault(
          "`\(result.name)` is returned twice; return each value once", rule: "duplicate-output",
          at: result.span)
        continue
      }
      switch meaning(of: result) {
      case .value(let id): outputs.append(id)
      case .state:
        fault(
          "`\(result.name)` is a state, which stays with the program; return what `read_state`"
            + " gives", rule: "unsupported-type", at: result.span)
      case .other(let type): faults.append(DeclaredType(type, result, version).refusal)
      case .faulty: break
      }
    }
    return outputs
  }

  // MARK: Operations

  private mutating func check(_ operation: Operation) {
    if let version = operation.version { checkOpset(version, at: operation.opSpan) }
    if operation.op == "const" {
      attempt { (checker) throws(Diagnostic) in try checker.constant(operation) }
      return
    }
    guard let row = OpTable.row(named: operation.op) else {
      let hint = suggestion(for: operation.op, among: OpTable.rows.map(\.name))
      fault(
        "unknown op `\(operation.op)`; \(hint ?? "no op of that name runs here")",
        rule: "unknown-op", at: operation.opSpan)
      for argument in operation.arguments { _ = operand(argument, of: operation) }
      defineOutputs(of: operation, types: nil)
      return
    }
    guard operation.nested.count == row.blockCount else {
      fault(
        "`\(operation.op)` takes \(row.blockCount) nested blocks, but \(operation.nested.count)"
          + " came", rule: "unsupported-op", at: operation.opSpan)
      defineOutputs(of: operation, types: nil)
      return
    }
    var operands = isStateMissing(operation) ? nil : operands(of: operation, row)
    let blocks = self.blocks(of: operation)
    if let blocks, !blocks.isEmpty {
      operands?[NestedFunction.operand] = .many(blocks.flatMap(\.captures))
    }
    let types = blocks.flatMap { blocks in operands.flatMap { infer(operation, row, $0, blocks) } }
    let outputs = defineOutputs(of: operation, types: types)
    guard let blocks, let operands, let types, outputs.count >= operation.outputs.count,
      outputs.count == types.count
    else { return }
    if row.fold != nil, operands.values.flatMap(\.ids).allSatisfy(isKnown) {
      knownEarly.formUnion(outputs)
    }
    let node = Node(
      op: operation.op, operands: operands, outputs: outputs, span: operation.span, blocks: blocks)
    if sizes.isOpen, settle(node) { return }
    nodes.append(node)
    note(node, writtenBy: operation)
  }

  /// Names the results. Where no types were inferred the declared ones stand, so that what follows is
  /// still checked.
  @discardableResult
  private mutating func defineOutputs(of operation: Operation, types: [TensorType]?) -> [ValueID] {
    var ids: [ValueID] = []
    for (index, output) in operation.outputs.enumerated() {
      let declared = try? DeclaredType(output, version: version).tensor()
      guard let type = types?[index] ?? declared else {
        define(output, as: .faulty)
        continue
      }
      ids.append(addValue(output.name, type, nil, at: output.span))
      define(output, as: .value(ids[ids.count - 1]))
    }
    // What is written to a state has no name.
    for type in types?.dropFirst(operation.outputs.count) ?? [] {
      ids.append(addValue(operation.op, type, nil, at: operation.span))
    }
    return ids
  }
}

extension Operand {
  /// All values it names.
  var ids: [ValueID] {
    switch self {
    case .one(let id): return [id]
    case .many(let ids): return ids
    }
  }
}

/// Checks one function: names, ops, arguments and types. Literals are `LiteralDecoder`'s.
struct FunctionChecker {
  /// What a name stands for.
  enum Name {
    case value(ValueID)
    /// Defined, but by something faulty; its uses are not blamed.
    case faulty
  }

  let function: Function
  let version: String
  var weights: ModelDirectory
  private(set) var faults: [Diagnostic] = []
  private(set) var values: [Value] = []
  private(set) var nodes: [Node] = []
  private var names: [String: Name] = [:]
  private var places: [String: SourceSpan] = [:]
  /// Where the function first defines each name, seen from outside the order of statements.
  private let definitions: [String: SourceSpan]
  /// Values that are known when the program is compiled though no literal: results of ops that fold.
  private(set) var knownEarly: Set<ValueID> = []
  private var decoded: [ValueID: ConstantValue] = [:]

  init(_ function: Function, version: String, weights: ModelDirectory) {
    self.function = function
    self.version = version
    self.weights = weights
    definitions = Dictionary(
      function.body.operations.flatMap(\.outputs).map { ($0.name, $0.span) },
      uniquingKeysWith: { first, _ in first })
  }

  mutating func run() -> CheckedFunction {
    checkOpset(function.opset, at: function.span)
    var inputs: [ValueID] = []
    for parameter in function.parameters {
      attempt { (checker) throws(Diagnostic) in
        if let id = try checker.input(parameter) { inputs.append(id) }
      }
    }
    for operation in function.body.operations { check(operation) }
    let outputs = self.outputs()
    return CheckedFunction(
      name: function.name, opset: function.opset, values: values, nodes: nodes, inputs: inputs,
      outputs: outputs)
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

  private mutating func checkOpset(_ opset: String, at span: SourceSpan) {
    if Checker.opsets.contains(opset) { return }
    fault(
      "opset `\(opset)` is not known; write one of \(Checker.opsets.joined(separator: ", "))",
      rule: "unknown-opset", at: span)
  }

  // MARK: Names

  /// Gives a name its meaning; a second definition is a fault.
  private mutating func define(_ binding: Binding, as name: Name) {
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
    if let name = names[reference.name] { return name }
    if let later = definitions[reference.name] {
      fault(
        "`\(reference.name)` is used before line \(later.start.line) defines it; move the"
          + " definition up", rule: "use-before-definition", at: reference.span)
    } else {
      let hint = suggestion(for: reference.name, among: names.keys)
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
      let type = try DeclaredType(parameter, version: version).tensor()
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
    let results = function.body.results
    if results.isEmpty {
      fault(
        "function `\(function.name)` returns nothing; name its results after `->`",
        rule: "no-output", at: function.span)
    }
    for result in results {
      guard seen.insert(result.name).inserted else {
        fault(
          "`\(result.name)` is returned twice; return each value once", rule: "duplicate-output",
          at: result.span)
        continue
      }
      if case .value(let id) = meaning(of: result) { outputs.append(id) }
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
    guard operation.nested.isEmpty else {
      fault(
        "`\(operation.op)` carries nested blocks, which cannot run here; compute both branches and"
          + " `select`, or unroll the loop", rule: "unsupported-op", at: operation.opSpan)
      defineOutputs(of: operation, types: nil)
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
    let operands = operands(of: operation, row)
    let types = operands.flatMap { infer(operation, row, $0) }
    let outputs = defineOutputs(of: operation, types: types)
    guard let operands, let types, outputs.count == types.count else { return }
    if row.fold != nil, operands.values.flatMap(\.ids).allSatisfy(isKnown) {
      knownEarly.formUnion(outputs)
    }
    nodes.append(
      Node(op: operation.op, operands: operands, outputs: outputs, span: operation.span))
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
    return ids
  }

  /// The types that the op's rule gives, when they are the declared ones.
  private mutating func infer(
    _ operation: Operation, _ row: OpRow, _ operands: [String: Operand]
  ) -> [TensorType]? {
    let declared = operation.outputs.map { DeclaredType($0, version: version) }
    var types: [String: [TensorType]] = [:]
    var constants: [String: ConstantValue] = [:]
    for (name, operand) in operands {
      types[name] = operand.ids.map { values[$0].type }
      if case .one(let id) = operand { constants[name] = constantValue(id) }
    }
    let context = InferenceContext(
      op: operation.op, opset: operation.version ?? function.opset, span: operation.span,
      types: types, constants: constants, declared: declared.compactMap { try? $0.tensor() })
    do throws(Diagnostic) {
      let inferred = try row.infer(context)
      guard inferred.count == declared.count else {
        throw Diagnostic(
          "`\(operation.op)` gives \(inferred.count) values here, but \(declared.count) are"
            + " declared; declare one for each", rule: "type-mismatch", at: operation.span)
      }
      for (type, declared) in zip(inferred, declared) {
        attempt { (_) throws(Diagnostic) in try declared.compare(with: type, of: operation.op) }
      }
      return inferred
    } catch {
      faults.append(error)
      return nil
    }
  }

  /// The content of a constant that stands in the text.
  private mutating func constantValue(_ id: ValueID) -> ConstantValue? {
    if let known = decoded[id] { return known }
    guard let source = values[id].constant else { return nil }
    decoded[id] = ConstantValue(type: values[id].type, source: source)
    return decoded[id]
  }

  // MARK: Constants

  /// `T name = const()[val = T(…)]`; old writers give `val` as an argument.
  private mutating func constant(_ operation: Operation) throws(Diagnostic) {
    guard operation.outputs.count == 1, let output = operation.outputs.first else {
      for output in operation.outputs { define(output, as: .faulty) }
      throw Diagnostic(
        "`const` defines one value, but \(operation.outputs.count) are declared",
        rule: "type-mismatch", at: operation.span)
    }
    do throws(Diagnostic) {
      let given = (operation.attributes + operation.arguments).first { $0.name == "val" }
      guard let given, case .literal(let literal) = given.value else {
        throw Diagnostic(
          "`const` needs an attribute `val` with a typed literal, as val = int32(1)",
          rule: "missing-argument", at: operation.opSpan)
      }
      let (type, source) = try decode(literal)
      try DeclaredType(output, version: version).compare(with: type, of: "const")
      define(output, as: .value(addValue(output.name, type, source, at: output.span)))
    } catch {
      define(output, as: .faulty)
      throw error
    }
  }

  /// The type and content of a literal; a record of a weight file is looked up and compared.
  mutating func decode(_ literal: Literal) throws(Diagnostic) -> (TensorType, ConstantSource) {
    let type = try DeclaredType(literal.type, at: literal.span, version: version).tensor()
    guard case .blob(let name, let offset) = literal.payload else {
      return (type, try LiteralDecoder.decode(literal, as: type))
    }
    do throws(Diagnostic) {
      let path = try ModelDirectory.relativePath(name)
      guard BlobFormat.codes[type.dtype] != nil else {
        throw Diagnostic(
          "a weight file cannot hold \(type.dtype.rawValue); write the values into the text",
          rule: "blob")
      }
      _ = try weights.file(at: path)?.bytes(at: offset, as: type)
      return (type, .blob(path: path, offset: offset))
    } catch {
      throw Diagnostic(error.message, rule: error.rule, at: literal.span)
    }
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

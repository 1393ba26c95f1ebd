import ANEProfiles

/// A checked program beside its text, in the form that rules ask about. It judges nothing.
struct RuleSubject {
  let tree: SyntaxTree
  let profile: Profile
  let functions: [RuleFunction]

  init(_ tree: SyntaxTree, _ program: CheckedProgram, profile: Profile) {
    self.tree = tree
    self.profile = profile
    functions = zip(tree.functions, program.functions).map { RuleFunction($0, $1) }
  }

  var statements: [RuleStatement] { functions.flatMap(\.statements) }

  func refuses(_ op: String) -> Bool { profile.refusedOps.contains { $0.op == op } }

  /// Every use of an op that the profile refuses.
  func refusals(_ op: String) -> [RuleFinding] {
    statements.filter { $0.op == op }.map { statement in
      RuleFinding(
        "`\(op)` has no way onto the engine of \(profile.name)", at: statement.operation.opSpan)
    }
  }

  func typeText(_ type: TensorType) -> String { type.text(version: tree.version) }
}

/// One function, as written and as checked.
struct RuleFunction {
  let syntax: Function
  let checked: CheckedFunction
  /// Every operation but `const`, in order.
  let statements: [RuleStatement]
  /// Everything in the function that has a name.
  var names: Set<String> {
    Set(syntax.parameters.map(\.name)).union(syntax.body.names)
  }

  init(_ syntax: Function, _ checked: CheckedFunction) {
    self.syntax = syntax
    self.checked = checked
    let nodes = Dictionary(
      checked.nodes.map { ($0.span, $0) }, uniquingKeysWith: { first, _ in first })
    statements = syntax.body.operations.compactMap { operation in
      nodes[operation.span].map {
        RuleStatement(operation: operation, node: $0, values: checked.values)
      }
    }
  }

  /// Outputs with the places that return them.
  var results: [(value: Value, span: SourceSpan)] {
    zip(checked.outputs, syntax.body.results).map { (checked.values[$0], $1.span) }
  }

  /// Inputs and outputs with what they are called in messages.
  var ports: [(kind: String, value: Value)] {
    checked.inputs.map { ("input", checked.values[$0]) }
      + checked.outputs.map { ("output", checked.values[$0]) }
  }
}

extension Block {
  /// What its statements define, nested ones too.
  fileprivate var names: [String] {
    operations.flatMap { operation in
      operation.outputs.map(\.name)
        + operation.nested.flatMap { $0.parameters.map(\.name) + $0.body.names }
    }
  }
}

/// One operation, as written and as checked.
struct RuleStatement {
  let operation: Operation
  let node: Node
  fileprivate let values: [Value]

  init(operation: Operation, node: Node, values: [Value]) {
    self.operation = operation
    self.node = node
    self.values = values
  }

  var op: String { node.op }
  var outputs: [Value] { node.outputs.map { values[$0] } }

  /// The values that an argument names.
  func operands(_ name: String) -> [Value] { (node.operands[name]?.ids ?? []).map { values[$0] } }

  /// All operands with the arguments that they were given for.
  var operands: [(argument: String, value: Value)] {
    node.operands.sorted { $0.key < $1.key }
      .flatMap { entry in entry.value.ids.map { (entry.key, values[$0]) } }
  }

  /// The argument as written.
  func argument(_ name: String) -> Argument? {
    ArgumentList.arguments(of: operation).first { $0.name == name }
  }

  /// Where an argument stands, or else the op.
  func span(of argument: String) -> SourceSpan {
    self.argument(argument)?.span ?? operation.opSpan
  }

  /// The content of an argument that is constant in the text.
  func constant(_ name: String) -> ConstantValue? {
    guard let value = operands(name).first, let source = value.constant else { return nil }
    return ConstantValue(type: value.type, source: source)
  }
}

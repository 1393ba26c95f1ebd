/// The part of the check that follows nested blocks: what they see of the function around them. A block
/// becomes a function of its own, whose last inputs are the values that it takes from outside.

/// What a block sees of the function or block around it.
struct OuterScope {
  fileprivate let names: [String: FunctionChecker.Name]
  fileprivate let values: [Value]
  fileprivate let states: [CheckingState]
  /// What makes the values that are known before the run.
  fileprivate var makers: [ValueID: Node] = [:]
  /// Outside values that the block takes as inputs.
  fileprivate(set) var captured: [(outside: ValueID, inside: ValueID)] = []
  /// Inside values by those outside that they stand for.
  fileprivate var adopted: [ValueID: ValueID] = [:]

  init(_ checker: FunctionChecker) {
    (names, values, states) = (checker.names, checker.values, checker.states)
    for node in checker.nodes where node.outputs.allSatisfy(checker.knownEarly.contains) {
      for output in node.outputs { makers[output] = node }
    }
  }
}

extension FunctionChecker {
  /// Every name that may be used here.
  var visibleNames: [String] { Array(names.keys) + (outer.map { Array($0.names.keys) } ?? []) }

  /// The blocks of an operation as functions, or `nil` when one of them is faulty.
  mutating func blocks(of operation: Operation) -> [NestedFunction]? {
    var result: [NestedFunction] = []
    var isWhole = true
    for block in operation.nested {
      // What the block takes from further out passes through here.
      for name in Self.references(in: block.body) where names[name] == nil { _ = adopt(name) }
      var checker = FunctionChecker(block, at: operation.opSpan, in: self)
      let function = checker.run()
      faults += checker.faults
      weights = checker.weights
      isWhole = isWhole && checker.faults.isEmpty
      result.append(
        NestedFunction(
          function: function, captures: checker.outer?.captured.map(\.outside) ?? []))
    }
    return isWhole ? result : nil
  }

  /// Brings a name from outside into this block; `nil` when there is none.
  mutating func adopt(_ name: String) -> Name? {
    guard let outer, let outside = outer.names[name] else { return nil }
    let inside: Name
    switch outside {
    case .faulty, .other: inside = outside
    case .value(let id): inside = .value(adopt(id))
    case .state(let index):
      let state = outer.states[index]
      states.append(
        CheckingState(
          name: state.name, type: state.type, input: nil, current: adopt(state.current)))
      inside = .state(states.count - 1)
    }
    names[name] = inside
    return inside
  }

  /// The inside value for one outside. Constants, and what is made of them before the run, come along;
  /// all else is an input.
  private mutating func adopt(_ outside: ValueID) -> ValueID {
    guard let outer else { return outside }
    if let known = outer.adopted[outside] { return known }
    let value = outer.values[outside]
    let inside = addValue(value.name, value.type, value.constant, at: value.span)
    self.outer?.adopted[outside] = inside
    if value.constant != nil { return inside }
    guard let maker = outer.makers[outside], maker.outputs.count == 1 else {
      self.outer?.captured.append((outside, inside))
      return inside
    }
    let operands = maker.operands.mapValues { operand -> Operand in
      switch operand {
      case .one(let id): return .one(adopt(id))
      case .many(let ids): return .many(ids.map { adopt($0) })
      }
    }
    nodes.append(Node(op: maker.op, operands: operands, outputs: [inside], span: maker.span))
    knownEarly.insert(inside)
    return inside
  }

  /// All names that a block uses, in the blocks inside it too.
  private static func references(in block: Block) -> Set<String> {
    var result = Set(block.results.map(\.name))
    func take(_ value: ArgumentValue) {
      switch value {
      case .reference(let reference): result.insert(reference.name)
      case .list(let members): members.forEach(take)
      case .literal: break
      }
    }
    for operation in block.operations {
      for argument in operation.arguments + operation.attributes { take(argument.value) }
      for nested in operation.nested { result.formUnion(references(in: nested.body)) }
    }
    return result
  }
}

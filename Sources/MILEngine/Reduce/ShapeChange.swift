/// One length of an axis made another, wherever it stands in a program: in types, in the numbers of
/// literals, and in how long the literals are.
struct ShapeChange {
  let from: Int
  let to: Int

  /// Every length that stands in a program's types.
  static func lengths(of tree: SyntaxTree) -> Set<Int> {
    var found: Set<Int> = []
    for function in tree.functions {
      let types =
        function.parameters.map(\.type)
        + function.body.operations.flatMap { $0.outputs.map(\.type) }
      for case .tensor(_, let dimensions) in types {
        for case .fixed(let length) in dimensions { found.insert(length) }
      }
    }
    return found
  }

  func applied(to tree: SyntaxTree) -> SyntaxTree {
    var changed = tree
    changed.functions = tree.functions.map { function in
      var function = function
      function.parameters = function.parameters.map(binding)
      function.body = block(function.body)
      return function
    }
    return changed
  }

  private func block(_ block: Block) -> Block {
    var block = block
    block.operations = block.operations.map { operation in
      var operation = operation
      operation.outputs = operation.outputs.map(binding)
      operation.arguments = operation.arguments.map(argument)
      operation.attributes = operation.attributes.map(argument)
      operation.nested = operation.nested.map { nested in
        var nested = nested
        nested.parameters = nested.parameters.map(binding)
        nested.body = self.block(nested.body)
        return nested
      }
      return operation
    }
    return block
  }

  private func binding(_ binding: Binding) -> Binding {
    var binding = binding
    binding.type = type(binding.type)
    return binding
  }

  private func type(_ type: MILType) -> MILType {
    switch type {
    case .tensor(let dtype, let dimensions):
      return .tensor(dtype, dimensions.map { $0 == .fixed(from) ? .fixed(to) : $0 })
    case .state(let inner): return .state(self.type(inner))
    default: return type
    }
  }

  private func argument(_ argument: Argument) -> Argument {
    var argument = argument
    argument.value = value(argument.value)
    return argument
  }

  private func value(_ value: ArgumentValue) -> ArgumentValue {
    switch value {
    case .reference: return value
    case .list(let members): return .list(members.map { self.value($0) })
    case .literal(var literal):
      let isInteger = if case .tensor(.int32, _) = literal.type { true } else { false }
      literal.payload = payload(literal.payload, isInteger: isInteger)
      literal.type = type(literal.type)
      return .literal(literal)
    }
  }

  /// Lists of the old length become as long as the new one; integers that are the old length, the new one.
  private func payload(_ payload: Payload, isInteger: Bool) -> Payload {
    switch payload {
    case .number(let text) where isInteger && text == String(from): return .number(String(to))
    case .list(let members):
      let kept = members.count == from ? Array(members.prefix(to)) : members
      return .list(kept.map { self.payload($0, isInteger: isInteger) })
    default: return payload
    }
  }
}

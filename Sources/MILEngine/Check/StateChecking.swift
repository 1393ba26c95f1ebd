/// The part of the check that follows states. A read is a use of what was written last, so that a
/// function without loops has plain values only: a state is an input, and what was written last a result.

/// A state on the way through a function.
struct CheckingState {
  let name: String
  let type: TensorType
  /// What it holds when the function starts; `nil` in a block, where the state belongs outside.
  let input: ValueID?
  /// What it holds now.
  var current: ValueID
  var isWritten: Bool { input != nil && current != input }
}

extension FunctionChecker {
  /// The argument that names the state, by op.
  private static let stateArguments = [
    "read_state": "input", "write_state": "input", "coreml_update_state": "state",
  ]
  private static let reads = "read_state"

  var checkedStates: [CheckedState] {
    states.compactMap { state in
      state.input.map {
        CheckedState(
          name: state.name, type: state.type, input: $0,
          output: state.isWritten ? state.current : nil)
      }
    }
  }

  /// A parameter that is a state.
  mutating func state(_ parameter: Binding, _ inner: MILType) throws(Diagnostic) {
    guard outer == nil else {
      throw Diagnostic(
        "`\(parameter.name)` is a state, which a block cannot take; name the state of the function",
        rule: "unsupported-type", at: parameter.span)
    }
    var declared = parameter
    declared.type = inner
    let type = try DeclaredType(sizes.closed(declared), version: version).tensor()
    guard Kinds.any.contains(type.dtype), !type.shape.contains(0) else {
      throw Diagnostic(
        "state `\(parameter.name)` is \(type.text); expected elements of one of"
          + " \(Kinds.any.map(\.rawValue).joined(separator: ", ")), and at least one",
        rule: "unsupported-type", at: parameter.span)
    }
    let id = addValue(parameter.name, type, nil, at: parameter.span)
    states.append(CheckingState(name: parameter.name, type: type, input: id, current: id))
    define(parameter, as: .state(states.count - 1))
  }

  /// What a use of a state means: its content, where the op takes a state.
  mutating func content(
    ofState index: Int, _ argument: String, of operation: Operation, at span: SourceSpan
  ) -> ValueID? {
    let state = states[index]
    guard Self.stateArguments[operation.op] == argument else {
      fault(
        "`\(state.name)` is a state, but `\(operation.op)` takes values; read it with"
          + " `read_state(input = \(state.name))`", rule: "unsupported-type", at: span)
      return nil
    }
    guard operation.op == Self.reads || state.input != nil else {
      fault(
        "state `\(state.name)` is written inside a block, which cannot run here; return the value"
          + " from the block and write it behind", rule: "unsupported-op", at: span)
      return nil
    }
    return state.current
  }

  /// Whether the argument of a state op is no state, which is a fault.
  mutating func isStateMissing(_ operation: Operation) -> Bool {
    guard let name = Self.stateArguments[operation.op] else { return false }
    let argument = ArgumentList.arguments(of: operation).first { $0.name == name }
    guard let argument else { return false }
    if case .reference(let reference) = argument.value {
      let name = names[reference.name] ?? adopt(reference.name)
      if case .state? = name { return false }
    }
    fault(
      "`\(name)` of `\(operation.op)` must name a state, an input of type state<…>",
      rule: "type-mismatch", at: argument.span)
    return true
  }

  /// Remembers what an operation wrote to a state.
  mutating func note(_ node: Node, writtenBy operation: Operation) {
    guard let name = Self.stateArguments[operation.op], operation.op != Self.reads else { return }
    for argument in operation.arguments where argument.name == name {
      if case .reference(let reference) = argument.value,
        case .state(let index) = names[reference.name]
      {
        states[index].current = node.outputs[0]
      }
    }
  }
}

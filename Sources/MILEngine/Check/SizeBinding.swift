/// Fixes the sizes that a function's inputs leave open, so that it becomes a program of fixed sizes.

extension SyntaxTree {
  /// The tree in which inputs of a function have the given shapes, and every result the type that
  /// follows from them.
  public func binding(
    _ shapes: [String: [Int]], of name: String
  ) throws(DiagnosticList) -> SyntaxTree {
    guard let index = functions.firstIndex(where: { $0.name == name }) else {
      let known = functions.map(\.name).joined(separator: ", ")
      throw DiagnosticList([
        Diagnostic("there is no function `\(name)`; the text has \(known)", rule: "no-function")
      ])
    }
    var bound = self
    var faults: [Diagnostic] = functions[index].faults(ofChoice: shapes)
    for (input, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      do throws(Diagnostic) {
        try bound.functions[index].bind(input, to: shape)
      } catch { faults.append(error) }
    }
    guard faults.isEmpty else { throw DiagnosticList(faults) }
    let checked = try Checker.check(bound, modelDirectory: nil).functions[index]
    let types = Dictionary(
      checked.values.map { ($0.span, $0.type) }, uniquingKeysWith: { first, _ in first })
    for place in bound.functions[index].body.operations.indices {
      bound.functions[index].body.operations[place].close(types)
    }
    return bound
  }
}

extension Function {
  /// What keeps the shapes from being one of the choices that the function lists, if it lists any. Inputs
  /// without a given shape have their default one.
  fileprivate func faults(ofChoice shapes: [String: [Int]]) -> [Diagnostic] {
    let choices = FlexibleSizes.choices(attributes)
    let isListed = choices.contains { choice in
      shapes.allSatisfy { choice[$0.key] == nil || choice[$0.key] == $0.value }
    }
    let isDefault = shapes.allSatisfy { FlexibleSizes(self).hasDefault($0.value, of: $0.key) }
    guard !choices.isEmpty, !isListed, !isDefault else { return [] }
    let listed = choices.map { choice in
      choice.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.text)" }
        .joined(separator: ", ")
    }
    return [
      Diagnostic(
        "the shapes given for `\(name)` are none of those that it lists:"
          + " \(listed.joined(separator: "; "))", rule: "type-mismatch", at: span)
    ]
  }

  fileprivate mutating func bind(_ input: String, to shape: [Int]) throws(Diagnostic) {
    guard let index = parameters.firstIndex(where: { $0.name == input }),
      case .tensor(let dtype, let dimensions) = parameters[index].type
    else {
      let known = parameters.map(\.name).joined(separator: ", ")
      throw Diagnostic(
        "a shape is given for `\(input)`, but the inputs of `\(name)` are \(known)",
        rule: "unknown-value", at: span)
    }
    let parameter = parameters[index]
    let fits =
      dimensions.count == shape.count
      && zip(dimensions, shape).allSatisfy { $0 == .unknown || $0 == .fixed($1) }
    guard fits, shape.allSatisfy({ $0 > 0 }) else {
      throw Diagnostic(
        "`\(input)` is \(parameter.type.text(version: "1.3")), which \(shape.text) does not fit",
        rule: "type-mismatch", at: parameter.span)
    }
    for (axis, range) in (FlexibleSizes.ranges(attributes)[input] ?? []).enumerated()
    where axis < shape.count && !range.contains(shape[axis]) {
      throw Diagnostic(
        "size \(axis) of `\(input)` must be from \(range.lowerBound) to \(range.upperBound), but"
          + " \(shape[axis]) came", rule: "type-mismatch", at: parameter.span)
    }
    parameters[index].type = .tensor(dtype, shape.map { .fixed($0) })
  }
}

extension Operation {
  /// Writes the types that were found where sizes were open. Blocks inside keep what they declare.
  fileprivate mutating func close(_ types: [SourceSpan: TensorType]) {
    for index in outputs.indices {
      guard case .tensor(_, let dimensions) = outputs[index].type, dimensions.contains(.unknown),
        let type = types[outputs[index].span]
      else { continue }
      outputs[index].type = .tensor(type.dtype, type.shape.map { .fixed($0) })
    }
  }
}

/// The element-wise part of lowering: growing expressions, and maps of words.
import CKernels

extension Lowering {
  /// Adds one instruction over `names` to the pending computation of the node's result.
  mutating func chain(
    _ node: Node, _ op: orion_chain_op, _ names: [String], immediate: (Float, Float) = (0, 0)
  ) throws(Diagnostic) {
    let type = result(node)
    var values: [ValueID] = []
    for name in names { values.append(try required(node, name)) }
    let expression = try grown(
      op, values, shape: type.shape, rounding: rounding(type), immediate: immediate)
    define(node.outputs[0], .expression(expression))
  }

  private mutating func grown(
    _ op: orion_chain_op, _ values: [ValueID], shape: [Int], rounding: orion_rounding,
    immediate: (Float, Float)
  ) throws(Diagnostic) -> Expression {
    // First with the operands' own pending computations, then with their results in memory.
    for takesOver in [true, false] {
      var expression = Expression(shape: shape)
      var sources: [ValueID: Expression.Source] = [:]
      for value in values where sources[value] == nil {
        if takesOver, let pending = try pendingExpression(value), pending.shape == shape {
          sources[value] = expression.add(pending)
        } else {
          sources[value] = expression.add(forward(try view(value)))
        }
      }
      guard let left = sources[values[0]], let right = sources[values[values.count - 1]] else {
        continue
      }
      expression.append(
        Expression.Instruction(
          op: op, left: left, right: right, rounding: rounding, immediate: immediate))
      if !takesOver || expression.compiled() != nil { return expression }
    }
    return Expression(shape: shape)
  }

  /// A computation that only one node waits for.
  private mutating func pendingExpression(_ value: ValueID) throws(Diagnostic) -> Expression? {
    guard isSingleUse(value), case .expression(let expression) = try form(value) else {
      return nil
    }
    return expression
  }

  /// Maps the words of up to three values to those of the node's result.
  mutating func mapWords(
    _ node: Node, _ names: [String], _ body: @escaping ElementStep.Body
  ) throws(Diagnostic) {
    var operands: [View] = []
    for name in names {
      operands.append(try view(required(node, name)).broadcast(to: result(node).shape))
    }
    mapWords(node, operands, body)
  }

  /// Maps the words of up to three windows of the result's shape.
  mutating func mapWords(
    _ node: Node, _ operands: [View], _ body: @escaping ElementStep.Body
  ) {
    let target = newView(result(node).shape)
    if target.count > 0 {
      emit(
        ElementStep(shape: target.shape, operands: operands, target: target.place, body: body))
    }
    define(node.outputs[0], target)
  }

  /// The result is the operand, whatever that is by now.
  mutating func alias(_ node: Node, _ name: String) throws(Diagnostic) {
    try rewindow(node, name, to: result(node).shape) { view, _ in
      view
    } joined: { axis, _ in
      axis
    }
  }

  /// The same elements in the same order under another shape.
  mutating func reshape(_ node: Node, _ name: String, to shape: [Int]) throws(Diagnostic) {
    try rewindow(node, name, to: shape) { view, shape in
      view.reshaped(shape)
    } joined: { axis, source in
      // The pieces' axis must survive with the same elements before and after it.
      let before = source[..<axis].reduce(1, *)
      return shape.indices.first {
        shape[$0] == source[axis] && shape[..<$0].reduce(1, *) == before
      }
    }
  }

  /// Makes the result another window of an operand, or pushes the change into what is pending.
  /// `change` gives a window's new form; `joined` the new place of the axis of joined pieces.
  mutating func rewindow(
    _ node: Node, _ name: String, to shape: [Int],
    _ change: (_ view: View, _ shape: [Int]) -> View?,
    joined: (_ axis: Int, _ source: [Int]) -> Int?
  ) throws(Diagnostic) {
    let value = try required(node, name)
    let output = node.outputs[0]
    switch try form(value) {
    case .view: break
    case .expression(let expression):
      if isSingleUse(value), let changed = expression.mapped(to: shape, { change($0, shape) }) {
        return define(output, .expression(changed))
      }
    case .joined(let axis, _):
      if let place = joined(axis, type(value).shape) {
        var pieces: [Form] = []
        for piece in try pieceViews(value) {
          var pieceShape = shape
          pieceShape[place] = piece.shape[axis]
          pieces.append(
            .view(change(piece, pieceShape) ?? dense(piece).changed(pieceShape, change)))
        }
        return define(output, .joined(axis: place, pieces: pieces))
      }
    }
    let view = try view(value)
    define(output, change(view, shape) ?? dense(view).changed(shape, change))
  }

  /// The pieces of a joined value as windows; one piece for any other value.
  mutating func pieceViews(_ value: ValueID) throws(Diagnostic) -> [View] {
    guard case .joined(let axis, let pieces) = try form(value) else { return [try view(value)] }
    var views: [View] = []
    for piece in pieces {
      if case .view(let view) = piece {
        views.append(view)
      } else {
        let view = newView(piece.shape)
        write(piece, to: view)
        views.append(view)
      }
    }
    define(value, .joined(axis: axis, pieces: views.map(Form.view)))
    return views
  }
}

extension View {
  /// What a change makes of a dense window, which has every shape of its size.
  fileprivate func changed(_ shape: [Int], _ change: (View, [Int]) -> View?) -> View {
    change(self, shape) ?? View(buffer: buffer, offset: offset, shape: shape)
  }
}

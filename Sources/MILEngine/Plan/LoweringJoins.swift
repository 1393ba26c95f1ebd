/// The joining part of lowering: concatenation, which copies only when memory is needed, and padding.
import CKernels

extension Lowering {
  /// The result is the values one after the other; they stay where they are until it is needed whole.
  mutating func concatenate(
    _ node: Node, _ values: [ValueID], axis: Int
  ) throws(Diagnostic) {
    var pieces: [Form] = []
    for value in values where type(value).shape[axis] > 0 {
      switch try form(value) {
      case .joined(axis, _):
        pieces += try pieceViews(value).map(Form.view)
      case .expression(let expression) where isSingleUse(value):
        pieces.append(.expression(expression))
      default:
        pieces.append(.view(try view(value)))
      }
    }
    let output = node.outputs[0]
    switch pieces.count {
    case 0: define(output, newView(result(node).shape))
    case 1: define(output, pieces[0])
    default: define(output, .joined(axis: axis, pieces: pieces))
    }
  }

  /// Puts values side by side along a new axis; `shape` is the whole with it.
  mutating func join(
    _ node: Node, _ values: [ValueID], along axis: Int, shape: [Int]
  ) throws(Diagnostic) {
    let target = newView(shape)
    for (index, value) in values.enumerated() {
      let piece = try view(value).inserting(axis: axis)
      write(.view(piece), to: target.sliced(axis: axis, begin: index, count: 1))
    }
    define(node.outputs[0], View(buffer: target.buffer, shape: result(node).shape))
  }

  mutating func pad(_ node: Node) throws(Diagnostic) {
    let context = arguments(node)
    guard context.constants["pad"] != nil else { return try padByAmounts(node, context) }
    let amounts = try context.padding()
    let mode = try context.choice("mode", ["constant", "reflect", "replicate"])
    guard mode == "constant" else { return try mirror(node, amounts, reflects: mode == "reflect") }
    let type = result(node)
    let target = newView(type.shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    let word = word(try context.number("constant_val", default: 0), as: type)
    emit(FillStep(target: target.place, count: target.count, word: word))
    var inside = target
    let x = try view(required(node, "x"))
    for (axis, amount) in amounts.enumerated() {
      inside = inside.sliced(axis: axis, begin: amount.before, count: x.shape[axis])
    }
    write(.view(x), to: inside)
  }

  private mutating func padByAmounts(
    _ node: Node, _ context: InferenceContext
  ) throws(Diagnostic) {
    let type = result(node)
    let (x, amounts) = (try denseView(required(node, "x")), try denseView(required(node, "pad")))
    let target = newView(type.shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    let edge: AmountPadStep.Edge
    switch try context.choice("mode", ["constant", "reflect", "replicate"]) {
    case "reflect": edge = .reflect
    case "replicate": edge = .replicate
    default: edge = .fill(word(try context.number("constant_val", default: 0), as: type))
    }
    emit(
      AmountPadStep(
        x: x.place, amounts: amounts.place, target: target.place, shape: x.shape,
        result: type.shape, paddedAxes: amounts.count / 2, edge: edge))
  }

  /// Padding with the value's own elements, one axis after the other.
  private mutating func mirror(
    _ node: Node, _ amounts: [(before: Int, after: Int)], reflects: Bool
  ) throws(Diagnostic) {
    var view = try denseView(required(node, "x"))
    for (axis, amount) in amounts.enumerated() where amount.before + amount.after > 0 {
      let size = view.shape[axis]
      let places = (-amount.before..<(size + amount.after)).map { place -> Int in
        guard reflects else { return min(max(place, 0), size - 1) }
        return place < 0 ? -place : place >= size ? 2 * (size - 1) - place : place
      }
      var shape = view.shape
      shape[axis] = places.count
      let target = newView(shape)
      if target.count > 0 {
        emit(
          TakeStep(
            source: view.place, indices: .fixed(places), target: target.place,
            outer: shape[..<axis].reduce(1, *), count: size,
            inner: shape[(axis + 1)...].reduce(1, *)))
      }
      view = target
    }
    define(node.outputs[0], view)
  }
}

/// Collects the steps of a plan while the nodes of a function are walked in order. Results stay
/// pending, as a window, an element-wise expression or a list of pieces, until memory is needed.
import ANEProfiles
import CKernels

struct Lowering {
  /// Where a value is.
  enum Form: Sendable {
    case view(View)
    case expression(Expression)
    /// Pieces that follow each other along an axis; each a window or an expression.
    indirect case joined(axis: Int, pieces: [Form])
  }

  enum BufferKind: Sendable, Hashable {
    /// Made by a step.
    case result
    /// The function's input of this number.
    case input(Int)
    /// The constant of this number in `requests`.
    case constant(Int)
  }

  struct Buffer: Sendable {
    var kind: BufferKind
    /// In elements of 4 bytes.
    var count: Int
  }

  let function: CheckedFunction
  let arithmetic: Arithmetic
  private(set) var steps: [any Step] = []
  private(set) var buffers: [Buffer] = []
  private(set) var requests: [ConstantRequest] = []
  private var requestBuffers: [ConstantRequest: Int] = [:]
  private var forms: [Form?]
  /// Nodes that use each value, plus one for each output it is.
  private let uses: [Int]
  private var denseCopies: [View: View] = [:]
  /// Constants that nodes make of other constants.
  private var derived: [ValueID: ConstantContent] = [:]

  init(_ function: CheckedFunction, arithmetic: Arithmetic) {
    self.function = function
    self.arithmetic = arithmetic
    forms = Array(repeating: nil, count: function.values.count)
    var uses = [Int](repeating: 0, count: function.values.count)
    for node in function.nodes {
      for value in Set(node.operands.values.flatMap(\.ids)) { uses[value] += 1 }
    }
    for value in Plan.results(of: function) { uses[value] += 1 }
    self.uses = uses
    for (index, value) in Plan.arguments(of: function).enumerated() {
      let shape = function.values[value].type.shape
      forms[value] = .view(View(buffer: buffers.count, shape: shape))
      buffers.append(Buffer(kind: .input(index), count: Shape.count(shape) ?? 0))
    }
  }

  // MARK: what an op's row asks

  func type(_ value: ValueID) -> TensorType { function.values[value].type }
  func result(_ node: Node) -> TensorType { type(node.outputs[0]) }
  func useCount(_ value: ValueID) -> Int { uses[value] }
  func isSingleUse(_ value: ValueID) -> Bool { uses[value] == 1 }

  func operand(_ node: Node, _ name: String) -> ValueID? { node.operands[name]?.ids.first }

  func required(_ node: Node, _ name: String) throws(Diagnostic) -> ValueID {
    guard let value = operand(node, name) else {
      throw Diagnostic(
        "\(node.op): argument `\(name)` is missing", rule: "missing-argument", at: node.span)
    }
    return value
  }

  /// The arguments as type rules see them, so that a row reads its options in one place.
  func arguments(_ node: Node) -> InferenceContext {
    var types: [String: [TensorType]] = [:]
    var constants: [String: ConstantValue] = [:]
    var lists: [String: [ConstantValue]] = [:]
    let row = OpTable.row(named: node.op)
    for (name, operand) in node.operands {
      types[name] = operand.ids.map { type($0) }
      if case .many(let ids) = operand, row?.parameter(named: name)?.isConstant == true {
        lists[name] = ids.compactMap { id in
          function.values[id].constant.flatMap { ConstantValue(type: type(id), source: $0) }
        }
      }
      guard case .one(let value) = operand, let source = function.values[value].constant,
        row?.parameter(named: name)?.isConstant == true || type(value).elementCount <= 64
      else { continue }
      constants[name] = ConstantValue(type: type(value), source: source)
    }
    return InferenceContext(
      op: node.op, opset: function.opset, span: node.span, types: types, constants: constants,
      lists: lists, declared: node.outputs.map { type($0) })
  }

  /// How an element-wise result of a type is rounded.
  func rounding(_ type: TensorType) -> orion_rounding {
    guard type.dtype.isFloat, arithmetic.storage != .fp32 else { return ORION_ROUND_NONE }
    return arithmetic.storage == .fp16 || type.dtype == .fp16
      ? ORION_ROUND_F16 : ORION_ROUND_NONE
  }

  /// How the result of a matrix product or convolution is rounded.
  func productRounding(_ type: TensorType) -> ProductRounding {
    let rounding = rounding(type)
    guard rounding == ORION_ROUND_F16, arithmetic.storage == .fp16,
      let limit = arithmetic.macOverflowsAt
    else { return ProductRounding(rounding: rounding, limit: 0) }
    return ProductRounding(rounding: ORION_ROUND_F16_MAC, limit: limit, ways: sumWays)
  }

  private var sumWays: ProductRounding.Ways? {
    guard arithmetic.tiesAwayInSums || arithmetic.laneTilesAbove != nil else { return nil }
    return ProductRounding.Ways(
      tilesAbove: arithmetic.laneTilesAbove ?? .infinity, tiesAway: arithmetic.tiesAwayInSums)
  }

  /// Refuses what would make a plan of more than `most` pieces, where a shape says so.
  func limit(_ node: Node, _ sizes: [Int], to most: Int = 1 << 20) throws(Diagnostic) {
    guard let count = Shape.count(sizes), count <= most else {
      throw Diagnostic(
        "\(node.op): the shapes ask for \(sizes.text) pieces of work; at most \(most) can be"
          + " planned", rule: "too-large", at: node.span)
    }
  }

  // MARK: memory

  mutating func emit(_ step: some Step) { steps.append(step) }

  /// A dense window on new memory.
  mutating func newView(_ shape: [Int]) -> View {
    buffers.append(Buffer(kind: .result, count: Shape.count(shape) ?? 0))
    return View(buffer: buffers.count - 1, shape: shape)
  }

  mutating func define(_ value: ValueID, _ form: Form) { forms[value] = form }
  mutating func define(_ value: ValueID, _ view: View) { forms[value] = .view(view) }

  /// What a value is so far; constants become windows.
  mutating func form(_ value: ValueID) throws(Diagnostic) -> Form {
    if let form = forms[value] { return form }
    guard content(value) != nil else {
      throw Diagnostic(
        "`\(function.values[value].name)` is used before it is computed", rule: "no-plan",
        at: function.values[value].span)
    }
    let type = type(value)
    let buffer = try request(value, .dense)
    let form = Form.view(View(buffer: buffer, shape: type.shape))
    forms[value] = form
    return form
  }

  /// What a constant holds; `nil` for a value that is computed at run time.
  func content(_ value: ValueID) -> ConstantContent? {
    var content = derived[value]
    if content == nil, let source = function.values[value].constant {
      content = ConstantContent(
        type: type(value), source: source, roundsToHalf: roundsConstants(type(value).dtype))
    }
    if arithmetic.hidesNaN, type(value).dtype.isFloat { content?.hidesNaN = true }
    return content
  }

  func isConstant(_ value: ValueID) -> Bool { content(value) != nil }

  /// Whether constants of a type are rounded to fp16 before they are used.
  func roundsConstants(_ dtype: DType) -> Bool {
    arithmetic.storage == .fp16 && dtype.isFloat && dtype != .fp16
  }

  /// The node's result is a constant.
  mutating func define(_ value: ValueID, constant content: ConstantContent) {
    derived[value] = content
  }

  /// The buffer of a constant in some form.
  mutating func request(_ value: ValueID, _ form: ConstantRequest.Form) throws(Diagnostic) -> Int {
    guard let content = content(value), content.type.dtype != .string else {
      throw Diagnostic(
        "`\(function.values[value].name)` must be a numeric constant; it is not",
        rule: "not-constant", at: function.values[value].span)
    }
    return buffer(of: ConstantRequest(content: content, form: form))
  }

  /// The buffer of a constant, also one that a block asks for.
  mutating func buffer(of request: ConstantRequest) -> Int {
    if let buffer = requestBuffers[request] { return buffer }
    buffers.append(Buffer(kind: .constant(requests.count), count: request.byteCount / 4))
    requests.append(request)
    requestBuffers[request] = buffers.count - 1
    return buffers.count - 1
  }

  /// A window on a value's elements, which need not be dense.
  mutating func view(_ value: ValueID) throws(Diagnostic) -> View {
    let form = try form(value)
    if case .view(let view) = form { return view }
    let view = newView(type(value).shape)
    write(form, to: view)
    forms[value] = .view(view)
    return view
  }

  mutating func denseView(_ value: ValueID) throws(Diagnostic) -> View { dense(try view(value)) }

  /// The same elements without gaps, copied once if need be.
  mutating func dense(_ view: View) -> View {
    if view.isDense { return View(buffer: view.buffer, offset: view.offset, shape: view.shape) }
    if let copy = denseCopies[view] { return copy }
    let copy = newView(view.shape)
    if view.count > 0 { emit(GatherStep(source: view, target: copy.place)) }
    denseCopies[view] = copy
    return copy
  }

  /// The same elements in the same order under another shape; a copy where it must be.
  mutating func window(_ view: View, as shape: [Int]) -> View {
    if let window = view.reshaped(shape) { return window }
    let copy = dense(view)
    return View(buffer: copy.buffer, offset: copy.offset, shape: shape)
  }

  /// The same, unless all neighbours lie forward in memory, as kernels with strides want.
  mutating func forward(_ view: View) -> View { view.runsForward ? view : dense(view) }

  /// Adds the steps that put a form's elements into a window that has none yet.
  mutating func write(_ form: Form, to target: View) {
    guard target.count > 0 else { return }
    switch form {
    case .view(let view):
      if target.isDense {
        emit(GatherStep(source: view, target: target.place))
      } else {
        emit(ScatterStep(source: dense(view).place, target: target))
      }
    case .expression(let expression):
      guard target.isDense else {
        let whole = newView(target.shape)
        run(expression, to: whole)
        emit(ScatterStep(source: whole.place, target: target))
        return
      }
      run(expression, to: target)
    case .joined(let axis, let pieces):
      var begin = 0
      for piece in pieces {
        let count = piece.shape[axis]
        write(piece, to: target.sliced(axis: axis, begin: begin, count: count))
        begin += count
      }
    }
  }

  /// Adds the pass that computes an expression.
  private mutating func run(_ expression: Expression, to target: View) {
    var expression = expression
    for attempt in 0..<2 {
      if let step = ChainStep(expression, target: target) { return emit(step) }
      // Windows with too many axes; dense ones of the whole shape need a single axis.
      guard attempt == 0 else { return }
      expression = expression.mapped(to: expression.shape) { dense($0) } ?? expression
    }
  }
}

extension Lowering.Form {
  var shape: [Int] {
    switch self {
    case .view(let view): return view.shape
    case .expression(let expression): return expression.shape
    case .joined(let axis, let pieces):
      var shape = pieces[0].shape
      shape[axis] = pieces.reduce(0) { $0 + $1.shape[axis] }
      return shape
    }
  }
}

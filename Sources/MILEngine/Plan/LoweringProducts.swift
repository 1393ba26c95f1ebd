/// The part of lowering that makes matrix products: which operand is packed, and how it is walked.
import CKernels

extension Lowering {
  /// Weights in panels.
  struct Weights {
    let place: Place
    let kind: orion_packed_kind
    let outputs: Int
    let inner: Int
  }

  /// The panels of a matrix whose element (o, k) is `first + o * outputStride + k * innerStride` of
  /// a value: packed ahead of time for a constant, by a step for any other.
  mutating func weights(
    _ value: ValueID, outputs: Int, inner: Int, first: Int = 0, outputStride: Int, innerStride: Int
  ) throws(Diagnostic) -> Weights {
    if let content = content(value) {
      let kind = content.panelKind(
        outputStride: outputStride, inner: inner, innerStride: innerStride, first: first)
      let panels = ConstantRequest.Panels(
        kind: kind, outputs: outputs, inner: inner, first: first, outputStride: outputStride,
        innerStride: innerStride)
      let buffer = try request(value, .panels(panels))
      return Weights(
        place: Place(buffer: buffer, offset: 0), kind: kind.packed, outputs: outputs,
        inner: inner)
    }
    let isHalf = rounding(type(value)) == ORION_ROUND_F16
    let kind = isHalf ? ORION_PACKED_F16 : ORION_PACKED_F32
    let source = try denseView(value)
    let rows = dense(
      View(
        buffer: source.buffer, offset: source.offset + first, shape: [outputs, inner],
        strides: [outputStride, innerStride]))
    let target = newView([orion_packed_bytes(kind, outputs, inner) / 4])
    emit(
      PackStep(
        kind: kind, source: rows.place, outputs: outputs, inner: inner, target: target.place))
    return Weights(place: target.place, kind: kind, outputs: outputs, inner: inner)
  }

  mutating func bias(_ node: Node) throws(Diagnostic) -> Place? {
    guard let value = operand(node, "bias") else { return nil }
    return try denseView(value).place
  }

  /// Every row of the last axis of an operand times the weights.
  mutating func multiply(
    _ node: Node, rows name: String, by weights: Weights, bias: Place? = nil, flips: Bool = false
  ) throws(Diagnostic) {
    var x = forward(try view(required(node, name)))
    if flips { x = x.flipped }
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    let columns = target.count / max(weights.outputs, 1)
    guard target.count > 0 else { return }
    let flat = window(x, as: [columns, weights.inner])
    emit(
      LinearStep(
        kind: weights.kind, weights: weights.place, outputs: weights.outputs,
        inner: weights.inner, columns: columns, bias: bias,
        x: flat.place, xRow: flat.strides[1], xColumn: flat.strides[0],
        y: target.place, yRow: 1, yColumn: weights.outputs,
        rounding: productRounding(result(node))))
  }

  /// `linear` of whole numbers: x times the transposed weights, then the bias.
  mutating func multiplyIntegers(
    _ node: Node, rows name: String, by weight: ValueID
  ) throws(Diagnostic) {
    let x = try denseView(required(node, name))
    let inner = type(weight).shape[1]
    let rows = x.changingShape([x.shape.dropLast().reduce(1, *), inner])
    let columns = try denseView(weight).transposed([1, 0])
    let product = try product(node, rows, columns, batch: [])
      .changingShape(result(node).shape)
    guard let bias = operand(node, "bias") else { return define(node.outputs[0], product) }
    let shift = try view(bias).broadcast(to: product.shape)
    mapWords(node, [product, shift]) { x, y, _ in x &+ y }
  }

  /// `matmul`.
  mutating func multiply(_ node: Node) throws(Diagnostic) {
    let shape = try MatmulShape(arguments(node))
    let (x, y) = (try required(node, "x"), try required(node, "y"))
    let isFloat = result(node).dtype.isFloat
    let isSingleY = shape.y.dropLast(2).allSatisfy { $0 == 1 }
    if isFloat, isSingleY, isConstant(y), !isConstant(x), shape.k > 0 {
      let flip = shape.flipsY
      let weights = try weights(
        y, outputs: shape.n, inner: shape.k, outputStride: flip ? shape.k : 1,
        innerStride: flip ? 1 : shape.n)
      return try multiply(node, rows: "x", by: weights, flips: shape.flipsX)
    }
    let isSingleX = shape.x.dropLast(2).allSatisfy { $0 == 1 }
    if isFloat, isSingleX, isConstant(x), !isConstant(y), shape.k > 0,
      shape.batch.allSatisfy({ $0 == 1 })
    {
      return try multiplyColumns(node, shape, weights: x, columns: y)
    }
    try multiplyBatch(node, shape)
  }

  /// Constant weights on the left of a single matrix.
  private mutating func multiplyColumns(
    _ node: Node, _ shape: MatmulShape, weights x: ValueID, columns y: ValueID
  ) throws(Diagnostic) {
    let flip = shape.flipsX
    let weights = try weights(
      x, outputs: shape.m, inner: shape.k, outputStride: flip ? 1 : shape.k,
      innerStride: flip ? shape.m : 1)
    var columns = forward(try matrix(y, shape.y, flips: shape.flipsY))
    columns = columns.dropping(axes: columns.shape.indices.map { $0 < columns.shape.count - 2 })
    let target = newView(result(node).shape)
    define(node.outputs[0], target)
    guard target.count > 0 else { return }
    emit(
      LinearStep(
        kind: weights.kind, weights: weights.place, outputs: shape.m, inner: shape.k,
        columns: shape.n, bias: nil,
        x: columns.place, xRow: columns.strides[0], xColumn: columns.strides[1],
        y: target.place, yRow: shape.n, yColumn: 1, rounding: productRounding(result(node))))
  }

  /// An operand of a product with vectors promoted and the flag applied.
  mutating func matrix(
    _ value: ValueID, _ promoted: [Int], flips: Bool
  ) throws(Diagnostic) -> View {
    let matrix = window(try view(value), as: promoted)
    return flips ? matrix.flipped : matrix
  }

  /// Two run-time operands, or anything the packed forms do not cover.
  private mutating func multiplyBatch(_ node: Node, _ shape: MatmulShape) throws(Diagnostic) {
    let (x, y) = (try required(node, "x"), try required(node, "y"))
    let a = forward(try matrix(x, shape.x, flips: shape.flipsX))
      .broadcast(to: shape.batch + [shape.m, shape.k])
    let b = forward(try matrix(y, shape.y, flips: shape.flipsY))
      .broadcast(to: shape.batch + [shape.k, shape.n])
    let product = try product(node, a, b, batch: shape.batch)
    define(node.outputs[0], product.changingShape(result(node).shape))
  }

  /// The products of two windows [batch…, m, k] and [batch…, k, n], whose neighbours lie forward.
  mutating func product(
    _ node: Node, _ a: View, _ b: View, batch: [Int]
  ) throws(Diagnostic) -> View {
    let rank = batch.count
    let (m, k, n) = (a.shape[rank], a.shape[rank + 1], b.shape[rank + 1])
    let target = newView(batch + [m, n])
    guard target.count > 0 else { return target }
    try limit(node, batch, to: 1 << 26)
    func offsets(_ strides: [Int]) -> [Int] {
      var result: [Int] = []
      forEachOffset(batch, Array(strides.prefix(rank))) { result.append($0) }
      return result
    }
    let step = MatmulStep(
      m: m, n: n, k: k, a: a.place, aRow: a.strides[rank], aColumn: a.strides[rank + 1],
      b: b.place, bRow: b.strides[rank], bColumn: b.strides[rank + 1], c: target.place, cRow: n,
      aOffsets: offsets(a.strides), bOffsets: offsets(b.strides),
      cOffsets: offsets(target.strides), rounding: productRounding(result(node)))
    if result(node).dtype.isFloat { emit(step) } else { emit(IntegerMatmulStep(shape: step)) }
    return target
  }

  /// `conv`: each group of a picture is a product of its weights with columns of its inputs.
  mutating func convolve(_ node: Node) throws(Diagnostic) {
    try convolve(node, bias: bias(node), output: node.outputs[0])
  }

  mutating func convolve(_ node: Node, bias: Place?, output: ValueID) throws(Diagnostic) {
    let shape = try ConvolutionShape(arguments(node))
    let weight = try required(node, "weight")
    let target = newView(result(node).shape)
    define(output, target)
    guard target.count > 0 else { return }
    try limit(node, [shape.batch, shape.groups])
    try limit(node, shape.kernel + shape.output, to: 1 << 30)
    try limit(node, [shape.batch, shape.inputs] + shape.kernel + shape.output, to: elementCountMax)
    let places = shape.output.reduce(1, *)
    let taps = shape.kernel.reduce(1, *)
    let inner = shape.inputs / shape.groups * taps
    let outputs = shape.outputs / shape.groups
    var groups: [Weights] = []
    for group in 0..<shape.groups {
      groups.append(
        try weights(
          weight, outputs: outputs, inner: inner, first: group * outputs * inner,
          outputStride: inner, innerStride: 1))
    }
    let columns = try convolutionColumns(node, shape, places: places, taps: taps)
    let rounding = productRounding(result(node))
    for batch in 0..<shape.batch {
      for (group, weights) in groups.enumerated() {
        let x = columns.sliced(axis: 0, begin: batch, count: 1)
          .sliced(axis: 1, begin: group * inner, count: inner)
        let y = (batch * shape.outputs + group * outputs) * places
        emit(
          LinearStep(
            kind: weights.kind, weights: weights.place, outputs: outputs, inner: inner,
            columns: places,
            bias: bias.map { Place(buffer: $0.buffer, offset: $0.offset + group * outputs) },
            x: x.place, xRow: x.strides[1], xColumn: x.strides[2],
            y: Place(buffer: target.buffer, offset: y), yRow: places, yColumn: 1,
            rounding: rounding))
      }
    }
  }

  /// The input as [N, C * taps, places]; a copy only where a kernel has more than one tap.
  private mutating func convolutionColumns(
    _ node: Node, _ shape: ConvolutionShape, places: Int, taps: Int
  ) throws(Diagnostic) -> View {
    let x = try view(required(node, "x"))
    if shape.isPointwise {
      return window(forward(x), as: [shape.batch, shape.inputs, places])
    }
    let source = dense(x)
    let columns = newView([shape.batch, shape.inputs * taps, places])
    emit(ColumnsStep(source: source.place, target: columns.place, shape: shape))
    return columns
  }
}

extension ConstantContent {
  /// The narrowest panels that hold the weights. Bytes need a scale for each output and data that
  /// fits them once the offset is taken off, which must be seen without the weight file.
  func panelKind(
    outputStride: Int, inner: Int, innerStride: Int, first: Int
  ) -> ConstantRequest.Panels.Kind {
    if isHalf { return .f16 }
    guard case .scaled(let scale, let offset) = rule, inner > 0 else { return .f32 }
    let data = parts[0].type
    let blocks = BlockIndex(shape: data.shape, blocks: scale)
    guard let range = data.dtype.smallRange,
      blocks.depends(
        onlyOnOutputs: outputStride, inner: inner, innerStride: innerStride, first: first)
    else { return .f32 }
    var shifts = [0]
    if offset != nil {
      let part = parts[2]
      if let numbers = ConstantValue(type: part.type, source: part.source)?.numbers {
        let known = numbers.compactMap { Int(exactly: $0) }
        guard known.count == numbers.count else { return .f32 }
        shifts = known
      } else if let possible = part.type.dtype.smallRange {
        shifts = [possible.lowerBound, possible.upperBound]
      } else {
        return .f32
      }
    }
    let fits = shifts.allSatisfy {
      $0.magnitude < 1 << 16 && range.lowerBound - $0 >= -128 && range.upperBound - $0 <= 127
    }
    return fits ? .i8 : .f32
  }
}

extension DType {
  /// The numbers of an integer type of at most a byte.
  fileprivate var smallRange: ClosedRange<Int>? {
    guard let width = bitWidth, width <= 8, self != .bool, !isFloat else { return nil }
    return isSigned ? -(1 << (width - 1))...(1 << (width - 1) - 1) : 0...(1 << width - 1)
  }
}

extension View {
  /// The last two axes exchanged.
  var flipped: View {
    var order = Array(shape.indices)
    order.swapAt(order.count - 1, order.count - 2)
    return transposed(order)
  }
}

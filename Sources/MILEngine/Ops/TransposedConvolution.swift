/// `conv_transpose`: the way back of a convolution, over one to three axes.
import CKernels

extension OpTable {
  static let transposedConvolutions: [OpRow] = [convTranspose]

  private static let convTranspose = OpRow(
    "conv_transpose",
    [
      .value("x"), .value("weight"), .optionalValue("bias"), .option("pad"),
      .option("output_shape"), .option("pad_type"), .option("strides"), .option("dilations"),
      .option("groups"),
    ],
    infer: { context throws(Diagnostic) in
      let shape = try SpreadShape(context)
      return [try context.result(context.productDType("x", "weight"), shape.result)]
    },
    flops: { context throws(Diagnostic) in
      let shape = try SpreadShape(context)
      let taps = shape.kernel.reduce(1, *) * (shape.outputs / shape.groups)
      return .conv(
        2 * Double(taps) * shape.input.reduce(Double(shape.inputs)) { $0 * Double($1) }
          * Double(shape.batch))
    },
    lower: { lowering, node throws(Diagnostic) in
      let shape = try SpreadShape(lowering.arguments(node))
      let type = lowering.result(node)
      let target = lowering.newView(type.shape)
      lowering.define(node.outputs[0], target)
      guard target.count > 0 else { return }
      try lowering.limit(node, shape.kernel + shape.input, to: 1 << 28)
      let weight = try lowering.denseView(lowering.required(node, "weight"))
      let x = try lowering.denseView(lowering.required(node, "x"))
      var bias: Place?
      if let value = lowering.operand(node, "bias") { bias = try lowering.denseView(value).place }
      let places = shape.input.reduce(1, *)
      let columns = lowering.newView([shape.outputs / shape.groups * shape.taps * places])
      lowering.emit(
        SpreadStep(
          shape: shape, x: x.place, weight: weight.place, bias: bias, columns: columns.place,
          y: target.place, rounding: lowering.productRounding(type)))
    })
}

/// The sizes of a `conv_transpose`. Each element of `x` is spread over the places of the kernel.
struct SpreadShape: Sendable {
  let batch: Int
  let inputs: Int
  let outputs: Int
  let groups: Int
  let input: [Int]
  let kernel: [Int]
  let strides: [Int]
  let dilations: [Int]
  /// Elements cut off before the first of each axis.
  let cut: [Int]
  let output: [Int]
  var result: [Int] { [batch, outputs] + output }
  var taps: Int { kernel.reduce(1, *) }

  init(_ context: InferenceContext) throws(Diagnostic) {
    let x = try context.type("x", in: Kinds.floats).shape
    let weight = try context.type("weight", in: Kinds.floats).shape
    guard (3...5).contains(x.count), weight.count == x.count, weight[0] == x[1] else {
      throw context.fault(
        "expected `x` [N, C, D…] and `weight` [C, O/groups, K…] of one rank from 3 to 5; they are"
          + " \(x.text) and \(weight.text)")
    }
    let axes = x.count - 2
    groups = try context.integer("groups", default: 1)
    guard groups > 0, x[1] % groups == 0 else {
      throw context.fault("groups (\(groups)) must divide the \(x[1]) channels of `x`")
    }
    let (outputs, overflow) = weight[1].multipliedReportingOverflow(by: groups)
    (batch, inputs, input) = (x[0], x[1], Array(x[2...]))
    kernel = Array(weight[2...])
    guard !overflow, kernel.allSatisfy({ $0 > 0 }), input.allSatisfy({ $0 > 0 }) else {
      throw context.fault("no axis may be empty; `x` is \(x.text) and `weight` \(weight.text)")
    }
    self.outputs = outputs
    strides = try SlidingKernel.positive(context, "strides", axes)
    dilations = try SlidingKernel.positive(context, "dilations", axes)
    if context.has("bias") {
      let bias = try context.type("bias", in: Kinds.floats).shape
      guard bias == [outputs] else {
        throw context.fault("`bias` must be \([outputs].text); it is \(bias.text)")
      }
    }
    let type = try context.choice("pad_type", ["valid", "custom", "same", "same_lower"])
    let pad = try type == "custom" ? context.requiredIntegers("pad", count: 2 * axes) : nil
    guard pad?.allSatisfy({ $0 >= 0 && $0 <= 1 << 30 }) ?? true else {
      throw context.fault("`pad` must not be negative; it is \(pad?.text ?? "")")
    }
    var asked: [Int]?
    if context.has("output_shape") {
      let shape = try context.requiredIntegers("output_shape")
      guard shape.count == x.count, shape.prefix(2) == [batch, outputs] else {
        throw context.fault(
          "`output_shape` must be [\(batch), \(outputs), …] with \(x.count) sizes; it is"
            + " \(shape.text)")
      }
      asked = Array(shape[2...])
    }
    var (cut, output): ([Int], [Int]) = ([], [])
    for axis in 0..<axes {
      // Each factor is below 2^48, so that only the products may be too large.
      let (spread, isFar) = (input[axis] - 1).multipliedReportingOverflow(by: strides[axis])
      let (width, isWide) = (kernel[axis] - 1).multipliedReportingOverflow(by: dilations[axis])
      guard !isFar, !isWide, spread < elementCountMax, width < elementCountMax else {
        throw context.fault("axis \(axis) of the result has too many elements", rule: "too-large")
      }
      let whole = spread + width + 1
      let isSame = type.hasPrefix("same")
      let ends = pad.map { $0[2 * axis] + $0[2 * axis + 1] } ?? 0
      let natural = isSame ? spread + strides[axis] : whole - ends
      let size = asked?[axis] ?? natural
      guard size > 0, size < elementCountMax else {
        throw context.fault("axis \(axis) of the result would have \(size) elements")
      }
      let surplus = max(0, whole - size)
      cut.append(
        isSame ? (type == "same" ? surplus / 2 : (surplus + 1) / 2) : pad?[2 * axis] ?? 0)
      output.append(size)
    }
    (self.cut, self.output) = (cut, output)
  }
}

/// Convolution over one to three axes.
import CKernels

extension OpTable {
  static let convolutions: [OpRow] = [conv]

  private static let conv = OpRow(
    "conv",
    [
      .value("x"), .value("weight"), .optionalValue("bias"), .option("strides"),
      .option("pad_type"), .option("pad"), .option("dilations"), .option("groups"),
    ],
    infer: { context throws(Diagnostic) in
      let shape = try ConvolutionShape(context)
      return [try context.result(context.productDType("x", "weight"), shape.result)]
    },
    flops: { context throws(Diagnostic) in
      let shape = try ConvolutionShape(context)
      let taps = shape.kernel.reduce(1, *) * (shape.inputs / shape.groups)
      return .conv(shape.result.reduce(2 * Double(taps)) { $0 * Double($1) })
    },
    lower: { lowering, node throws(Diagnostic) in try lowering.convolve(node) })
}

/// The sizes of a `conv`.
struct ConvolutionShape {
  let batch: Int
  let inputs: Int
  let outputs: Int
  let groups: Int
  private let slide: SlidingKernel
  var input: [Int] { slide.input }
  var kernel: [Int] { slide.size }
  var strides: [Int] { slide.strides }
  var dilations: [Int] { slide.dilations }
  /// Zeros before the first element of each axis.
  var padBefore: [Int] { slide.padBefore }
  var output: [Int] { slide.output }
  var result: [Int] { [batch, outputs] + output }
  /// Every output element reads one input element of each channel, at its own place.
  var isPointwise: Bool {
    kernel.allSatisfy { $0 == 1 } && strides.allSatisfy { $0 == 1 } && input == output
  }

  init(_ context: InferenceContext) throws(Diagnostic) {
    let x = try context.type("x", in: Kinds.floats).shape
    let weight = try context.type("weight", in: Kinds.floats).shape
    guard (3...5).contains(x.count), weight.count == x.count else {
      throw context.fault(
        "expected `x` [N, C, D…] and `weight` [O, C/groups, K…] of one rank from 3 to 5;"
          + " they are \(x.text) and \(weight.text)")
    }
    groups = try context.integer("groups", default: 1)
    guard groups > 0, x[1] % groups == 0, weight[0] % groups == 0, weight[1] == x[1] / groups else {
      throw context.fault(
        "`weight` \(weight.text) must have \(x[1])/groups input channels, and groups (\(groups))"
          + " must divide the channels of both")
    }
    (batch, inputs, outputs) = (x[0], x[1], weight[0])
    if context.has("bias") {
      let bias = try context.type("bias", in: Kinds.floats).shape
      guard bias == [outputs] else {
        throw context.fault("`bias` must be \([outputs].text); it is \(bias.text)")
      }
    }
    slide = try SlidingKernel(context, input: Array(x[2...]), size: Array(weight[2...]))
  }
}

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
  let input: [Int]
  let kernel: [Int]
  let strides: [Int]
  let dilations: [Int]
  /// Zeros before the first element of each axis.
  let padBefore: [Int]
  let output: [Int]
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
    let axes = x.count - 2
    groups = try context.integer("groups", default: 1)
    guard groups > 0, x[1] % groups == 0, weight[0] % groups == 0, weight[1] == x[1] / groups else {
      throw context.fault(
        "`weight` \(weight.text) must have \(x[1])/groups input channels, and groups (\(groups))"
          + " must divide the channels of both")
    }
    (batch, inputs, outputs) = (x[0], x[1], weight[0])
    input = Array(x[2...])
    kernel = Array(weight[2...])
    strides = try Self.positive(context, "strides", axes)
    dilations = try Self.positive(context, "dilations", axes)
    if context.has("bias") {
      let bias = try context.type("bias", in: Kinds.floats).shape
      guard bias == [outputs] else {
        throw context.fault("`bias` must be \([outputs].text); it is \(bias.text)")
      }
    }
    let type = try context.choice("pad_type", ["valid", "custom", "same", "same_lower"])
    var pad = [Int](repeating: 0, count: 2 * axes)
    if type == "custom" {
      pad = try context.requiredIntegers("pad", count: 2 * axes)
      guard pad.allSatisfy({ $0 >= 0 && $0 <= 1 << 30 }) else {
        throw context.fault("`pad` must not be negative; it is \(pad.text)")
      }
    }
    var before: [Int] = []
    var output: [Int] = []
    for axis in 0..<axes {
      let size = input[axis]
      let (product, overflow) = dilations[axis].multipliedReportingOverflow(by: kernel[axis] - 1)
      guard kernel[axis] > 0, !overflow, product < elementCountMax else {
        throw context.fault("the kernel \(kernel.text) has no usable size on axis \(axis)")
      }
      let reach = product + 1
      if type == "same" || type == "same_lower" {
        let count = (size + strides[axis] - 1) / strides[axis]
        let total = max((count - 1) * strides[axis] + reach - size, 0)
        before.append(type == "same" ? total / 2 : (total + 1) / 2)
        output.append(count)
      } else {
        let padded = size + pad[2 * axis] + pad[2 * axis + 1]
        guard padded >= reach else {
          throw context.fault(
            "the kernel spans \(reach) on axis \(axis), the padded input only \(padded)")
        }
        before.append(pad[2 * axis])
        output.append((padded - reach) / strides[axis] + 1)
      }
    }
    padBefore = before
    self.output = output
  }

  static func positive(
    _ context: InferenceContext, _ name: String, _ count: Int
  ) throws(Diagnostic) -> [Int] {
    guard context.has(name) else { return [Int](repeating: 1, count: count) }
    let values = try context.requiredIntegers(name, count: count)
    guard values.allSatisfy({ $0 > 0 && $0 < 1 << 31 }) else {
      throw context.fault("`\(name)` must be positive; it is \(values.text)")
    }
    return values
  }
}

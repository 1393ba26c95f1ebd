/// How a kernel moves over one to three axes, for convolution and pooling.
struct SlidingKernel: Sendable {
  let input: [Int]
  let size: [Int]
  let strides: [Int]
  let dilations: [Int]
  /// Elements that are added before the first and after the last of each axis.
  let padBefore: [Int]
  let padAfter: [Int]
  let output: [Int]

  static let padTypes = ["valid", "custom", "same", "same_lower"]

  /// Reads `strides`, `pad_type`, `pad`, `dilations` and `ceil_mode`, as far as the op has them.
  init(_ context: InferenceContext, input: [Int], size: [Int]) throws(Diagnostic) {
    let axes = input.count
    self.input = input
    self.size = size
    strides = try Self.positive(context, "strides", axes)
    dilations = try Self.positive(context, "dilations", axes)
    let type = try context.choice("pad_type", Self.padTypes)
    let roundsUp = try context.flag("ceil_mode", default: false)
    var pad = [Int](repeating: 0, count: 2 * axes)
    if type == "custom" {
      pad = try context.requiredIntegers("pad", count: 2 * axes)
      guard pad.allSatisfy({ $0 >= 0 && $0 <= 1 << 30 }) else {
        throw context.fault("`pad` must not be negative; it is \(pad.text)")
      }
    }
    var (before, after, output): ([Int], [Int], [Int]) = ([], [], [])
    for axis in 0..<axes {
      let (product, overflow) = dilations[axis].multipliedReportingOverflow(by: size[axis] - 1)
      guard size[axis] > 0, !overflow, product < elementCountMax else {
        throw context.fault("the kernel \(size.text) has no usable size on axis \(axis)")
      }
      let reach = product + 1
      if type == "same" || type == "same_lower" {
        let count = (input[axis] + strides[axis] - 1) / strides[axis]
        let total = max((count - 1) * strides[axis] + reach - input[axis], 0)
        before.append(type == "same" ? total / 2 : (total + 1) / 2)
        after.append(type == "same" ? (total + 1) / 2 : total / 2)
        output.append(count)
        continue
      }
      let padded = input[axis] + pad[2 * axis] + pad[2 * axis + 1]
      guard padded >= reach else {
        throw context.fault(
          "the kernel spans \(reach) on axis \(axis), the padded input only \(padded)")
      }
      var count = (padded - reach) / strides[axis] + 1
      if roundsUp {
        guard pad[2 * axis] == pad[2 * axis + 1], axes <= 2 else {
          throw context.fault(
            "`ceil_mode` needs equal padding on both sides of one or two axes; `pad` is \(pad.text)"
          )
        }
        count = (padded - reach + strides[axis] - 1) / strides[axis] + 1
        // A window that would start in the padding behind the last element is left out.
        let isPadded = pad[2 * axis] > 0
        if isPadded, (count - 1) * strides[axis] >= input[axis] + pad[2 * axis] { count -= 1 }
      }
      before.append(pad[2 * axis])
      after.append(pad[2 * axis + 1])
      output.append(count)
    }
    (padBefore, padAfter, self.output) = (before, after, output)
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

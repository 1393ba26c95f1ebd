import MILEngine

@testable import OrionANE

/// Writes MIL of dialect 1.3, with every option spelled out as a named constant.
struct MILText {
  let dtype: DType
  private var lines: [String] = []
  private var shapes: [String: String] = [:]

  init(dtype: DType) {
    self.dtype = dtype
    constant("strides", "tensor<int32, [2]>", "[1, 1]")
    constant("pad", "tensor<int32, [4]>", "[0, 0, 0, 0]")
    constant("dilations", "tensor<int32, [2]>", "[1, 1]")
    constant("groups", "int32", "1")
    constant("pad_type", "string", "\"valid\"")
    constant("yes", "bool", "true")
    constant("no", "bool", "false")
    constant("last", "int32", "3")
  }

  private mutating func constant(_ name: String, _ type: String, _ value: String) {
    lines.append(
      "\(type) \(name) = const()[name = string(\"\(name)\"), val = \(type)(\(value))];")
  }

  private func type(_ shape: [Int]) -> String { "tensor<\(dtype.rawValue), \(shape)>" }

  mutating func add(_ name: String, _ shape: [Int], _ operation: String) {
    lines.append("\(type(shape)) \(name) = \(operation)[name = string(\"\(name)\")];")
  }

  mutating func convolve(
    _ name: String, _ x: String, _ offset: UInt64, _ inner: Int, _ shape: [Int]
  ) {
    constant(
      "\(name)_weight", type([shape[1], inner, 1, 1]),
      "BLOBFILE(path = string(\"@model_path/weights.bin\"), offset = uint64(\(offset)))")
    add(
      name, shape,
      "conv(dilations = dilations, groups = groups, pad = pad, pad_type = pad_type,"
        + " strides = strides, weight = \(name)_weight, x = \(x))")
  }

  mutating func reshape(_ name: String, _ x: String, _ shape: [Int]) {
    constant("\(name)_shape", "tensor<int32, [4]>", "\(shape)")
    add(name, shape, "reshape(shape = \(name)_shape, x = \(x))")
  }

  /// Masked scores of the queries over one run of positions.
  mutating func score(_ run: String, _ keys: String, _ shape: [Int]) {
    add(
      "\(run)_products", shape,
      "matmul(transpose_x = yes, transpose_y = no, x = query, y = \(keys))")
    add("\(run)_scores", shape, "add(x = \(run)_products, y = mask_\(run))")
  }

  /// The values of one run of positions, weighted.
  mutating func mix(_ run: String, _ values: String, _ weights: String, _ rows: [Int]) {
    add(
      "\(run)_sum", rows,
      "matmul(transpose_x = no, transpose_y = yes, x = \(values), y = \(weights))")
  }

  /// One softmax over the scores of two runs, parted again into weights of each.
  mutating func joinSoftmax(
    _ first: (run: String, shape: [Int]), _ second: (run: String, shape: [Int])
  ) {
    var shape = first.shape
    shape[3] += second.shape[3]
    constant("sizes", "tensor<int32, [2]>", "[\(first.shape[3]), \(second.shape[3])]")
    add(
      "joined", shape,
      "concat(axis = last, interleave = no, values = (\(first.run)_scores, \(second.run)_scores))")
    add("weights", shape, "softmax(axis = last, x = joined)")
    lines.append(
      "\(type(first.shape)) \(first.run)_weights, \(type(second.shape)) \(second.run)_weights ="
        + " split(axis = last, split_sizes = sizes, x = weights)[name = string(\"parted\")];")
  }

  func program(_ inputs: [(name: String, shape: [Int])], _ outputs: [String]) -> String {
    let parameters = inputs.map { "\(type($0.shape)) \($0.name)" }.joined(separator: ", ")
    return """
      program(1.3)
      [buildInfo = dict<string, string>({{"coremlc-version", "3505.4.1"}})]
      {
        func main<ios18>(\(parameters)) {
          \(lines.joined(separator: "\n    "))
        } -> (\(outputs.joined(separator: ", ")));
      }

      """
  }
}

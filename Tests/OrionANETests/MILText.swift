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
    constant("columns", "tensor<int32, [1]>", "[3]")
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

  /// Masked scores of the queries over one run of positions, and the largest of each.
  mutating func attend(
    _ run: String, query: String, keys: String, values: String, _ rows: [Int], _ scores: [Int]
  ) {
    reshape("\(run)_keys", keys, rows)
    reshape("\(run)_values", values, rows)
    add(
      "\(run)_products", scores,
      "matmul(transpose_x = yes, transpose_y = no, x = \(query), y = \(run)_keys)")
    add("\(run)_scores", scores, "add(x = \(run)_products, y = mask_\(run))")
    add(
      "\(run)_largest", [1, 1, scores[2], 1],
      "reduce_max(axes = columns, keep_dims = yes, x = \(run)_scores)")
  }

  /// The values weighted by e^(score - largest), and the sum of the weights.
  mutating func weigh(_ run: String, _ largest: String, _ rows: [Int], _ scores: [Int]) {
    add("\(run)_lowered", scores, "sub(x = \(run)_scores, y = \(largest))")
    add("\(run)_weights", scores, "exp(x = \(run)_lowered)")
    add(
      "\(run)_totals", [1, 1, scores[2], 1],
      "reduce_sum(axes = columns, keep_dims = yes, x = \(run)_weights)")
    reshape("\(run)_total", "\(run)_totals", [1, 1, 1, scores[2]])
    add(
      "\(run)_sum", rows,
      "matmul(transpose_x = no, transpose_y = yes, x = \(run)_values, y = \(run)_weights)")
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

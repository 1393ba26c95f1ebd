/// Ops between tensors and buffers, whose types say how they lie in a device's memory. Here a buffer is the
/// tensor of its shape.

extension OpTable {
  static let buffers: [OpRow] = [
    same("tensor_buffer_to_tensor", []),
    same("tensor_to_tensor_buffer", [.option("interleave_factors"), .option("strides")]),
  ]

  private static func same(_ name: String, _ layout: [Parameter]) -> OpRow {
    OpRow(
      name, [.value("input")] + layout,
      infer: { context throws(Diagnostic) in [try context.type("input")] },
      lower: { lowering, node throws(Diagnostic) in
        lowering.define(node.outputs[0], try lowering.form(lowering.required(node, "input")))
      })
  }
}

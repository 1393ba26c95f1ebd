/// What a function is made of, for those who model how a device takes it. Counted on the graph.
import ANEProfiles

public struct FunctionTraits: Sendable, Hashable {
  /// Lengths of the last axis of every input and result.
  public let widths: Set<Int>
  /// The most values that are computed at run time and meet in one op.
  public let fanIn: Int
  /// The only output is what an `identity` gives.
  public let endsInIdentity: Bool
  /// Bytes of the largest operand or result of any op, as the device stores it.
  public let largestOperandBytes: Int

  init(_ function: CheckedFunction) {
    let live = function.values.filter { $0.constant == nil }
    widths = Set(live.map { $0.type.shape.last ?? 1 })
    let computed = function.nodes.filter { !$0.op.hasPrefix(ArgumentList.constexprPrefix) }
    fanIn =
      computed.map { Self.branches(of: $0, in: function) }.max() ?? 0
    endsInIdentity =
      function.outputs.count == 1
      && computed.contains { $0.op == "identity" && $0.outputs == function.outputs }
    let touched = Set(computed.flatMap { $0.operands.values.flatMap(\.ids) + $0.outputs })
    largestOperandBytes = touched.map { Self.bytes(of: function.values[$0].type) }.max() ?? 0
  }

  /// How many different values, each computed at run time, an op takes.
  static func branches(of node: Node, in function: CheckedFunction) -> Int {
    Set(node.operands.values.flatMap(\.ids)).count { function.values[$0].constant == nil }
  }

  /// As the engine stores it: floats in 16 bits.
  static func bytes(of type: TensorType) -> Int {
    type.elementCount * (type.dtype.isFloat ? 16 : type.dtype.bitWidth ?? 0) / 8
  }
}

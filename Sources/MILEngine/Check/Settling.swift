/// The part of the check that works out values that follow from sizes alone. A function whose inputs leave
/// sizes open computes shapes while it runs; once the sizes are chosen these are constants.
import ANEProfiles

extension FunctionChecker {
  /// Larger results are left to the run.
  private static let elementsMax = 4096
  /// What a run gives anew each time.
  private static let unsettled = "random_"

  /// Makes the results of a node constants where all that it reads is known; `false` where not.
  mutating func settle(_ node: Node) -> Bool {
    if node.op == "shape", let output = node.outputs.first,
      case .one(let x)? = node.operands["x"], values[output].type.dtype == .int32
    {
      let sizes = values[x].type.shape.map { Int32(truncatingIfNeeded: $0) }
      values[output].constant = .bytes(sizes.flatMap { Self.bytes($0) })
      return true
    }
    let operands = Set(node.operands.values.flatMap(\.ids))
    guard node.blocks.isEmpty, OpTable.row(named: node.op)?.isSilent == false,
      !node.op.hasPrefix(Self.unsettled), !operands.isEmpty,
      operands.allSatisfy({ constantValue($0) != nil && isSmall(values[$0].type) }),
      node.outputs.allSatisfy({ isSmall(values[$0].type) && isPort(values[$0].type) }),
      let results = try? Self.evaluate(node, values, opset: opset)
    else { return false }
    for (output, bytes) in zip(node.outputs, results) { values[output].constant = .bytes(bytes) }
    return true
  }

  private func isSmall(_ type: TensorType) -> Bool { type.elementCount <= Self.elementsMax }
  private func isPort(_ type: TensorType) -> Bool { Kinds.any.contains(type.dtype) }

  private static func bytes(_ number: Int32) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  /// The results of a node whose operands are constants, as elements of their own types.
  private static func evaluate(
    _ node: Node, _ values: [Value], opset: String
  ) throws -> [[UInt8]] {
    let function = CheckedFunction(
      name: node.op, opset: opset, values: values, nodes: [node], inputs: [],
      outputs: node.outputs)
    let plan = try Plan(function, arithmetic: .ieee)
    let executable = ExecutableFunction(
      function, plan: plan,
      constants: try ConstantMemory(plan, layout: PackLayout([plan])), work: Work())
    let types = node.outputs.map { values[$0].type }
    let memories = try types.map { try OwnedMemory($0.packedSize?.bytes ?? 0) }
    return try withExtendedLifetime(memories) {
      try executable.run(
        inputs: [],
        outputs: zip(types, memories).map { type, memory in
          MemoryView(
            address: memory.address,
            rowBytes: (type.shape.last ?? 1) * (type.dtype.bitWidth ?? 8) / 8)
        })
      return zip(types, memories).map { type, memory in
        Array(UnsafeRawBufferPointer(start: memory.address, count: type.packedSize?.bytes ?? 0))
      }
    }
  }
}

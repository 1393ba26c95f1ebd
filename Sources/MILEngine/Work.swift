/// How much a function has to do, for models of time. Counted on the graph, before any fusion.
import ANEProfiles

public struct Work: Sendable, Hashable {
  /// Multiplications and additions of `matmul`, `linear` and attention.
  public internal(set) var matmulFlops: Double = 0
  public internal(set) var convFlops: Double = 0
  /// Bytes of the constants that the ops read, as the device stores them.
  public internal(set) var weightBytes: Int = 0
  /// Bytes of the inputs and of every op's results.
  public internal(set) var activationBytes: Int = 0
  public internal(set) var opCount: Int = 0

  public init() {}

  /// The operations of one op.
  enum Flops: Sendable {
    case matmul(Double)
    case conv(Double)
  }

  init(_ lowering: Lowering) {
    let function = lowering.function
    func bytes(_ value: ValueID) -> Int {
      let type = lowering.type(value)
      let isHalved = type.dtype == .fp32 && lowering.arithmetic.storage == .fp16
      return type.elementCount * (isHalved ? 16 : type.dtype.bitWidth ?? 0) / 8
    }
    var constants: Set<ValueID> = []
    for node in function.nodes {
      // Ops on weights are done before the run.
      if !node.op.hasPrefix(ArgumentList.constexprPrefix) {
        opCount += 1
        activationBytes += node.outputs.reduce(0) { $0 + bytes($1) }
      }
      for value in node.operands.values.flatMap(\.ids) where function.values[value].constant != nil
      {
        constants.insert(value)
      }
      // A block counts once, however often it runs.
      for block in node.blocks {
        add(Work(Lowering(block.function, arithmetic: lowering.arithmetic)))
      }
      guard let flops = OpTable.row(named: node.op)?.flops,
        let count = try? flops(lowering.arguments(node))
      else { continue }
      switch count {
      case .matmul(let number): matmulFlops += number
      case .conv(let number): convFlops += number
      }
    }
    weightBytes += constants.reduce(0) { $0 + bytes($1) }
    activationBytes += Plan.arguments(of: function).reduce(0) { $0 + bytes($1) }
  }

  private mutating func add(_ other: Work) {
    matmulFlops += other.matmulFlops
    convFlops += other.convFlops
    weightBytes += other.weightBytes
    activationBytes += other.activationBytes
    opCount += other.opCount
  }
}

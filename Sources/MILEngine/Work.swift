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
  public internal(set) var inputBytes: Int = 0
  public internal(set) var outputBytes: Int = 0
  /// Of the constants those that come from memory; smaller ones stand in the program.
  public internal(set) var streamedBytes: Int = 0
  /// What runs, in the order of the text. Ops on constants alone are done when it is compiled.
  public internal(set) var ops: [OpWork] = []

  /// Constants of fewer elements stand in the program.
  static let streamedElementsMin = 16

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
    // Results that are there before the run.
    var stored: Set<ValueID> = []
    for node in function.nodes {
      // Ops on weights are done before the run.
      if !node.op.hasPrefix(ArgumentList.constexprPrefix) {
        opCount += 1
        activationBytes += node.outputs.reduce(0) { $0 + bytes($1) }
      }
      let operands = Set(node.operands.values.flatMap(\.ids))
      constants.formUnion(operands.filter { function.values[$0].constant != nil })
      let live = operands.filter { function.values[$0].constant == nil && !stored.contains($0) }
      if node.blocks.isEmpty, live.isEmpty, !operands.isEmpty {
        stored.formUnion(node.outputs)
        continue
      }
      // A block counts once, however often it runs.
      for block in node.blocks {
        add(Work(Lowering(block.function, arithmetic: lowering.arithmetic)))
      }
      let touched = live.union(node.outputs).map(bytes)
      ops.append(OpWork(node, lowering, bytes: bytes, largestBytes: touched.max() ?? 0))
    }
    weightBytes += constants.reduce(0) { $0 + bytes($1) }
    streamedBytes += constants.reduce(0) {
      $0 + (lowering.type($1).elementCount < Self.streamedElementsMin ? 0 : bytes($1))
    }
    inputBytes = Plan.arguments(of: function).reduce(0) { $0 + bytes($1) }
    outputBytes = function.outputs.reduce(0) { $0 + bytes($1) }
    activationBytes += inputBytes
    matmulFlops = ops.reduce(0) { $0 + ($1.kind == .matmul ? $1.amount : 0) }
    convFlops = ops.reduce(0) { $0 + ($1.kind == .conv ? $1.amount : 0) }
  }

  private mutating func add(_ other: Work) {
    weightBytes += other.weightBytes
    streamedBytes += other.streamedBytes
    activationBytes += other.activationBytes
    opCount += other.opCount
    ops += other.ops
  }
}

/// What one op has to do.
public struct OpWork: Sendable, Hashable {
  /// What its time goes by, and the unit of `amount`.
  public enum Kind: String, Sendable, CaseIterable {
    /// Operations.
    case matmul
    case conv
    /// Elements.
    case softmax
    case norm
    /// Bytes of the results.
    case pass
    /// Nothing moves.
    case free
  }

  public let op: String
  /// Of its first result.
  public let name: String
  public let line: Int
  public let kind: Kind
  public let amount: Double
  public let resultBytes: Int
  /// Length of the first result's last axis.
  public let width: Int
  /// The largest of its results and of the operands that are no constants.
  public let largestBytes: Int

  init(_ node: Node, _ lowering: Lowering, bytes: (ValueID) -> Int, largestBytes: Int) {
    let first = node.outputs.first.map { lowering.function.values[$0] }
    op = node.op
    name = first?.name ?? ""
    line = node.span.start.line
    resultBytes = node.outputs.reduce(0) { $0 + bytes($1) }
    width = first?.type.shape.last ?? 1
    self.largestBytes = largestBytes
    (kind, amount) = Self.measure(node, lowering, first?.type.elementCount ?? 0, resultBytes)
  }

  private static func measure(
    _ node: Node, _ lowering: Lowering, _ elements: Int, _ bytes: Int
  ) -> (Kind, Double) {
    if let flops = OpTable.row(named: node.op)?.flops,
      let count = try? flops(lowering.arguments(node))
    {
      switch count {
      case .matmul(let number): return (.matmul, number)
      case .conv(let number): return (.conv, number)
      }
    }
    switch Kind(rawValue: OpKind.byName[node.op] ?? "") ?? .pass {
    case .free: return (.free, 0)
    case .softmax: return (.softmax, Double(elements))
    case .norm: return (.norm, Double(elements))
    case .pass, .matmul, .conv: return (.pass, Double(bytes))
    }
  }
}

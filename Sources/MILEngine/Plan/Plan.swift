/// What a function became: steps over buffers with places in one arena. It knows no text.
import ANEProfiles

struct Plan: Sendable {
  /// An input or output as the steps see it.
  struct Port: Sendable {
    let type: TensorType
    /// Dense; all of its buffer when `isWhole`.
    let view: View
    /// The buffer may lie in the caller's memory.
    let isWhole: Bool
    /// Floats are rounded to fp16 on the way in.
    let rounds: Bool
    /// NaN is read as +inf.
    var hidesNaN = false
    /// An input that is an output too, in whole or in part.
    let isReturned: Bool
  }

  let steps: [any Step]
  let buffers: [Lowering.Buffer]
  /// Byte offset in the arena of each buffer that is not a constant.
  let slots: [Int?]
  let arenaBytes: Int
  let inputs: [Port]
  let outputs: [Port]
  let requests: [ConstantRequest]

  /// Plans a checked function.
  init(_ function: CheckedFunction, arithmetic: Arithmetic) throws(Diagnostic) {
    var lowering = Lowering(function, arithmetic: arithmetic)
    let arguments = Self.arguments(of: function)
    let results = Self.results(of: function)
    for value in arguments + results { try Self.checkPort(function.values[value]) }
    try lowering.lowerNodes()
    var outputs: [Port] = []
    var bound: Set<Int> = []
    for value in results {
      let view = try lowering.denseView(value)
      let buffer = lowering.buffers[view.buffer]
      let isWhole =
        buffer.kind == .result && view.offset == 0 && view.count == buffer.count
        && bound.insert(view.buffer).inserted
      outputs.append(
        Port(
          type: lowering.type(value), view: view, isWhole: isWhole, rounds: false,
          isReturned: true))
    }
    self.outputs = outputs
    inputs = arguments.indices.map { index in
      let type = lowering.type(arguments[index])
      return Port(
        type: type, view: View(buffer: index, shape: type.shape), isWhole: true,
        rounds: type.dtype == .fp32 && arithmetic.storage == .fp16,
        hidesNaN: type.dtype.isFloat && arithmetic.hidesNaN,
        isReturned: outputs.contains { $0.view.buffer == index })
    }
    let wanted = Set(outputs.map(\.view.buffer))
    let chains = ChainFusion(lowering.steps, results: wanted)
    let layout = PanelLayout(chains.fused(), buffers: lowering.buffers, results: wanted)
    steps = LinearGroupStep.grouped(layout.steps)
    buffers = lowering.buffers
    requests = lowering.requests
    (slots, arenaBytes) = Liveness.slots(
      buffers: buffers, steps: steps, outputs: outputs.map(\.view.buffer))
  }

  /// The inputs, and behind them what the states hold before a run.
  static func arguments(of function: CheckedFunction) -> [ValueID] {
    function.inputs + function.states.map(\.input)
  }

  /// The outputs, and behind them what the written states hold after a run.
  static func results(of function: CheckedFunction) -> [ValueID] {
    function.outputs + function.states.compactMap(\.output)
  }

  private static func checkPort(_ value: Value) throws(Diagnostic) {
    guard Kinds.any.contains(value.type.dtype), value.type.elementCount <= elementCountMax else {
      throw Diagnostic(
        "`\(value.name)` is \(value.type.text); inputs and outputs are one of"
          + " \(Kinds.any.map(\.rawValue).joined(separator: ", "))", rule: "unsupported-type",
        at: value.span)
    }
  }
}

extension Lowering {
  /// Lowers all nodes in order. A pattern is lowered at its last node; the others wait until then.
  mutating func lowerNodes() throws(Diagnostic) {
    let folded = try foldConstants()
    let patterns = PatternFinder.patterns(of: self)
    let waiting = Set(patterns.values.flatMap(\.inside)).union(folded)
    for index in function.nodes.indices where !waiting.contains(index) {
      if let pattern = patterns[index] {
        if try lower(pattern) { continue }
        for inside in pattern.inside.sorted() { try lowerNode(inside) }
      }
      try lowerNode(index)
    }
  }

  /// The nodes whose results are constants; they need no step.
  private mutating func foldConstants() throws(Diagnostic) -> Set<Int> {
    var folded: Set<Int> = []
    for (index, node) in function.nodes.enumerated() {
      guard let fold = OpTable.row(named: node.op)?.fold, let contents = try fold(self, node)
      else { continue }
      for (output, content) in zip(node.outputs, contents) { define(output, constant: content) }
      folded.insert(index)
    }
    return folded
  }

  private mutating func lowerNode(_ index: Int) throws(Diagnostic) {
    let node = function.nodes[index]
    guard let row = OpTable.row(named: node.op) else {
      throw Diagnostic("unknown op `\(node.op)`", rule: "unknown-op", at: node.span)
    }
    try lower(node, by: row)
  }
}

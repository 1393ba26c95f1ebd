/// A program whose names, types and shapes were checked: what the planner reads.

/// Index of a value in `CheckedFunction.values`.
public typealias ValueID = Int

/// Element type and shape of a value.
public struct TensorType: Sendable, Hashable {
  public var dtype: DType
  public var shape: [Int]
  public init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }
  /// Held below 2^56, so that sizes in bytes cannot overflow.
  public var elementCount: Int { min(Shape.count(shape) ?? .max, 1 << 56) }
}

/// Where the bytes of a constant are.
public enum ConstantSource: Sendable, Hashable {
  /// Little-endian elements of the value's type; sub-byte types packed as in a blob; bools one byte.
  case bytes([UInt8])
  /// Strings, one per element.
  case strings([String])
  /// A record of a weight file; `path` is relative to the model directory.
  case blob(path: String, offset: UInt64)
}

/// A value: a function's input, a constant, or the result of a node.
public struct Value: Sendable {
  public var name: String
  public var type: TensorType
  public var constant: ConstantSource?
  public var span: SourceSpan
  public init(name: String, type: TensorType, constant: ConstantSource?, span: SourceSpan) {
    self.name = name
    self.type = type
    self.constant = constant
    self.span = span
  }
}

/// What an operation's parameter was given.
public enum Operand: Sendable, Hashable {
  case one(ValueID)
  case many([ValueID])
}

/// An operation other than `const`.
public struct Node: Sendable {
  public var op: String
  public var operands: [String: Operand]
  public var outputs: [ValueID]
  public var span: SourceSpan
  /// The blocks inside it, in written order; what they take from outside is the operand
  /// `NestedFunction.operand` too.
  public var blocks: [NestedFunction]
  public init(
    op: String, operands: [String: Operand], outputs: [ValueID], span: SourceSpan,
    blocks: [NestedFunction] = []
  ) {
    self.op = op
    self.operands = operands
    self.outputs = outputs
    self.span = span
    self.blocks = blocks
  }
}

/// A block inside an operation, as a function: its inputs are the block's parameters and behind them
/// the values that it takes from outside.
public struct NestedFunction: Sendable {
  /// The operand of a node that stands for all values its blocks take from outside.
  static let operand = "captured"
  public var function: CheckedFunction
  /// Values of the function around it, for the last inputs.
  public var captures: [ValueID]
}

/// A tensor that stays with a loaded program between runs.
public struct CheckedState: Sendable {
  public var name: String
  public var type: TensorType
  /// What it holds before a run.
  public var input: ValueID
  /// What it holds after a run; `nil` when the function never writes it.
  public var output: ValueID?
}

/// A function in single-assignment order. Inline literals have become constants.
public struct CheckedFunction: Sendable {
  public var name: String
  public var opset: String
  public var values: [Value]
  public var nodes: [Node]
  /// In declared order.
  public var inputs: [ValueID]
  /// In the order of the return tuple.
  public var outputs: [ValueID]
  /// In declared order.
  public var states: [CheckedState]
  public init(
    name: String, opset: String, values: [Value], nodes: [Node], inputs: [ValueID],
    outputs: [ValueID], states: [CheckedState] = []
  ) {
    self.name = name
    self.opset = opset
    self.values = values
    self.nodes = nodes
    self.inputs = inputs
    self.outputs = outputs
    self.states = states
  }

  /// There is a loop in it, or in one of its blocks.
  var mayLoop: Bool {
    nodes.contains { node in
      node.op == "while_loop" || node.blocks.contains { $0.function.mayLoop }
    }
  }

  /// Types of the inputs and outputs.
  var signature: (inputs: [TensorType], outputs: [TensorType]) {
    (inputs.map { values[$0].type }, outputs.map { values[$0].type })
  }
}

public struct CheckedProgram: Sendable {
  public var functions: [CheckedFunction]
  public init(functions: [CheckedFunction]) { self.functions = functions }
  public func function(named name: String) -> CheckedFunction? {
    functions.first { $0.name == name }
  }
}

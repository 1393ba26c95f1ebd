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
  public init(op: String, operands: [String: Operand], outputs: [ValueID], span: SourceSpan) {
    self.op = op
    self.operands = operands
    self.outputs = outputs
    self.span = span
  }
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
  public init(
    name: String, opset: String, values: [Value], nodes: [Node], inputs: [ValueID],
    outputs: [ValueID]
  ) {
    self.name = name
    self.opset = opset
    self.values = values
    self.nodes = nodes
    self.inputs = inputs
    self.outputs = outputs
  }
}

public struct CheckedProgram: Sendable {
  public var functions: [CheckedFunction]
  public init(functions: [CheckedFunction]) { self.functions = functions }
  public func function(named name: String) -> CheckedFunction? {
    functions.first { $0.name == name }
  }
}

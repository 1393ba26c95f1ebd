/// The syntax tree of MIL text: what was written, with its place, in both dialects. It knows no op.

/// A place in a text. Lines and columns count from 1; columns and offsets count UTF-8 bytes.
public struct SourceLocation: Sendable, Hashable {
  public var offset: Int
  public var line: Int
  public var column: Int
  public init(offset: Int, line: Int, column: Int) {
    self.offset = offset
    self.line = line
    self.column = column
  }
}

/// A stretch of a text, from `start` up to and without `end`.
public struct SourceSpan: Sendable, Hashable {
  public var start: SourceLocation
  public var end: SourceLocation
  public init(start: SourceLocation, end: SourceLocation) {
    self.start = start
    self.end = end
  }
}

/// Element types of MIL.
public enum DType: String, Sendable, Hashable, CaseIterable {
  case fp16, fp32, fp64, bf16, bool, string
  /// Floats of eight bits, which weight files hold; no text that names them was seen, so that they are
  /// called as their formats are.
  case fp8e4m3fn, fp8e5m2
  case int4, int8, int16, int32, int64
  case uint1, uint2, uint3, uint4, uint6, uint8, uint16, uint32, uint64
}

/// One axis of a declared shape.
public enum Dimension: Sendable, Hashable {
  case fixed(Int)
  /// Written `?`.
  case unknown
}

/// A type as written. A scalar of dialect 1.3 (`int32`) is the tensor of rank 0 that dialect 1.0 writes.
public indirect enum MILType: Sendable, Hashable {
  case tensor(DType, [Dimension])
  /// `nil` length: `?`.
  case list(MILType, length: Int?)
  case dict(key: MILType, value: MILType)
  case tuple([MILType])
  case state(MILType)
  /// `tensor_buffer<fp16, shape=[…], strides=[…], …>`: properties in written order.
  case buffer(DType, properties: [BufferProperty])
}

public struct BufferProperty: Sendable, Hashable {
  public var name: String
  public var values: [Int]
  public init(name: String, values: [Int]) {
    self.name = name
    self.values = values
  }
}

/// What stands between the parentheses of a typed literal.
public enum Payload: Sendable, Hashable {
  /// A number exactly as written (`-0x1.8p+0`, `1e-05`, `inf`); decoded when its type is known.
  case number(String)
  case string(String)
  case bool(Bool)
  case list([Payload])
  case pairs([PayloadPair])
  case tuple([Payload])
  /// `BLOBFILE(path = string("@model_path/w.bin"), offset = uint64(64))`; the offset names the record.
  case blob(path: String, offset: UInt64)
}

public struct PayloadPair: Sendable, Hashable {
  public var key: Payload
  public var value: Payload
  public init(key: Payload, value: Payload) {
    self.key = key
    self.value = value
  }
}

/// `type(payload)`.
public struct Literal: Sendable, Hashable {
  public var type: MILType
  public var payload: Payload
  public var span: SourceSpan
  public init(type: MILType, payload: Payload, span: SourceSpan) {
    self.type = type
    self.payload = payload
    self.span = span
  }
}

/// A use of a value by name.
public struct Reference: Sendable, Hashable {
  public var name: String
  public var span: SourceSpan
  public init(name: String, span: SourceSpan) {
    self.name = name
    self.span = span
  }
}

/// The right side of `name = value`.
public enum ArgumentValue: Sendable, Hashable {
  case reference(Reference)
  /// `(a, b)`, the values of `concat` and `stack`; members are references or literals.
  case list([ArgumentValue])
  case literal(Literal)
}

public struct Argument: Sendable, Hashable {
  public var name: String
  public var value: ArgumentValue
  public var span: SourceSpan
  public init(name: String, value: ArgumentValue, span: SourceSpan) {
    self.name = name
    self.value = value
    self.span = span
  }
}

/// A typed name: a parameter of a function or an output of an operation.
public struct Binding: Sendable, Hashable {
  public var type: MILType
  public var name: String
  public var span: SourceSpan
  public init(type: MILType, name: String, span: SourceSpan) {
    self.type = type
    self.name = name
    self.span = span
  }
}

/// One statement.
public struct Operation: Sendable, Hashable {
  public var outputs: [Binding]
  public var op: String
  /// The suffix of `op<ios17>`, or `nil`.
  public var version: String?
  public var arguments: [Argument]
  public var attributes: [Argument]
  public var nested: [NestedBlock]
  /// From the first output's type to the semicolon.
  public var span: SourceSpan
  /// The op's own name.
  public var opSpan: SourceSpan
  public init(
    outputs: [Binding], op: String, version: String?, arguments: [Argument],
    attributes: [Argument], nested: [NestedBlock], span: SourceSpan, opSpan: SourceSpan
  ) {
    self.outputs = outputs
    self.op = op
    self.version = version
    self.arguments = arguments
    self.attributes = attributes
    self.nested = nested
    self.span = span
    self.opSpan = opSpan
  }
}

/// A block inside an operation (`cond`, `while_loop`).
public struct NestedBlock: Sendable, Hashable {
  public var name: String
  public var parameters: [Binding]
  public var body: Block
  public init(name: String, parameters: [Binding], body: Block) {
    self.name = name
    self.parameters = parameters
    self.body = body
  }
}

public struct Block: Sendable, Hashable {
  public var operations: [Operation]
  public var results: [Reference]
  public init(operations: [Operation], results: [Reference]) {
    self.operations = operations
    self.results = results
  }
}

public struct Function: Sendable, Hashable {
  public var name: String
  /// `ios15` to `ios18`, as written.
  public var opset: String
  public var parameters: [Binding]
  public var attributes: [Argument]
  public var body: Block
  public var span: SourceSpan
  public init(
    name: String, opset: String, parameters: [Binding], attributes: [Argument], body: Block,
    span: SourceSpan
  ) {
    self.name = name
    self.opset = opset
    self.parameters = parameters
    self.attributes = attributes
    self.body = body
    self.span = span
  }
}

/// A whole file.
public struct SyntaxTree: Sendable, Hashable {
  /// `1.0` or `1.3`, as written.
  public var version: String
  /// `buildInfo` and whatever else stands before the first function.
  public var attributes: [Argument]
  public var functions: [Function]
  public init(version: String, attributes: [Argument], functions: [Function]) {
    self.version = version
    self.attributes = attributes
    self.functions = functions
  }
}

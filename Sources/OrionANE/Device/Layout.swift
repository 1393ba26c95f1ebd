import MILEngine

/// Element types.
public typealias DType = MILEngine.DType

/// Element type, shape and row stride of memory that a device reads. The last axis is dense; every other
/// axis is dense over rows of `rowBytes`.
public struct Layout: Sendable, Hashable {
  /// The type of an element.
  public let dtype: DType
  /// The length of each axis.
  public let shape: [Int]
  /// Bytes from one row (last axis) to the next.
  public let rowBytes: Int

  /// A layout; nothing is checked before memory is made with it.
  public init(dtype: DType, shape: [Int], rowBytes: Int) {
    self.dtype = dtype
    self.shape = shape
    self.rowBytes = rowBytes
  }

  /// How many rows there are.
  public var rowCount: Int { shape.dropLast().reduce(1, *) }
  /// Bytes of the whole memory.
  public var byteCount: Int { rowCount * rowBytes }

  /// Bytes between neighbours along each axis.
  public var strides: [Int] { shape.indices.map(stride) }

  func stride(of axis: Int) -> Int {
    let last = shape.count - 1
    return axis == last ? dtype.byteCount : shape[(axis + 1)..<last].reduce(rowBytes, *)
  }
}

extension DType {
  /// Bytes of one element; sub-byte types are not types of tensors in memory and count as one.
  public var byteCount: Int {
    switch self {
    case .fp64, .int64, .uint64: 8
    case .fp32, .int32, .uint32: 4
    case .fp16, .bf16, .int16, .uint16: 2
    default: 1
    }
  }
}

/// An input or output of a program.
public struct Port: Sendable, Hashable {
  /// As the program's text has it.
  public let name: String
  /// The memory that it takes.
  public let layout: Layout
  /// A port.
  public init(name: String, layout: Layout) {
    self.name = name
    self.layout = layout
  }
}

/// A type as the text declares it, on its way to a tensor whose sizes are known.
struct DeclaredType {
  let type: MILType
  /// `x`, or `nil` for a literal.
  let name: String?
  let span: SourceSpan
  let version: String

  init(_ binding: Binding, version: String) {
    (type, name, span) = (binding.type, binding.name, binding.span)
    self.version = version
  }

  init(_ type: MILType, at span: SourceSpan, version: String) {
    (self.type, name, self.span) = (type, nil, span)
    self.version = version
  }

  /// Of a constant where `reference` uses it.
  init(_ type: MILType, _ reference: Reference, _ version: String) {
    (self.type, name, span) = (type, reference.name, reference.span)
    self.version = version
  }

  /// Says that the type is none that can be computed with.
  var refusal: Diagnostic {
    Diagnostic(
      "\(subject) is a \(kind), which cannot run here: expected a tensor or a scalar; \(remedy)",
      rule: "unsupported-type", at: span)
  }

  /// The tensor that it is; other types and unknown sizes are faults.
  func tensor() throws(Diagnostic) -> TensorType {
    guard let (dtype, dimensions) = elements else { throw refusal }
    let unknown = dimensions.indices.filter { dimensions[$0] == .unknown }
    guard unknown.isEmpty else {
      let list = unknown.map(String.init).joined(separator: ", ")
      throw Diagnostic(
        "dimension \(list) of \(subject) is `?` in \(type.text(version: version)); write a number"
          + " there to run the program, or give the function default shapes",
        rule: "unknown-dimension", at: span)
    }
    let shape = dimensions.map { dimension in
      if case .fixed(let length) = dimension { length } else { 0 }
    }
    guard Shape.isUsable(shape) else {
      throw Diagnostic(
        "\(subject) has too many elements: its type is \(type.text(version: version)), and at most"
          + " \(elementCountMax) can be handled", rule: "too-large", at: span)
    }
    return TensorType(dtype, shape)
  }

  /// A buffer is the tensor of its shape: how it lies in memory is the device's.
  private var elements: (DType, [Dimension])? {
    switch type {
    case .tensor(let dtype, let dimensions): return (dtype, dimensions)
    case .buffer(let dtype, let properties):
      return properties.first { $0.name == "shape" }.map { (dtype, $0.values.map { .fixed($0) }) }
    default: return nil
    }
  }

  /// Compares with what the op gives; a size left open is the op's.
  func compare(with inferred: TensorType, of op: String) throws(Diagnostic) {
    if let (dtype, dimensions) = elements, dtype == inferred.dtype,
      dimensions.count == inferred.shape.count,
      zip(dimensions, inferred.shape).allSatisfy({ $0 == .unknown || $0 == .fixed($1) })
    {
      return
    }
    _ = elements == nil ? try tensor() : inferred
    throw Diagnostic(
      "\(subject) is declared \(type.text(version: version)), but `\(op)` gives"
        + " \(inferred.text(version: version)); correct the declaration or what the op is given",
      rule: "type-mismatch", at: span)
  }

  private var subject: String { name.map { "`\($0)`" } ?? "this literal" }

  private var kind: String {
    switch type {
    case .tensor: return "tensor"
    case .list: return "list"
    case .dict: return "dict"
    case .tuple: return "tuple"
    case .state: return "state"
    case .buffer: return "tensor_buffer"
    }
  }

  private var remedy: String {
    if case .state = type { return "take the state as an input and return its new value" }
    return "pass its parts as tensors"
  }
}

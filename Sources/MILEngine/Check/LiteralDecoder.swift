/// Turns the payload of a typed literal into little-endian bytes, each number rounded once. It knows
/// types and no op.
struct LiteralDecoder {
  private let type: TensorType
  private let span: SourceSpan
  private let format: FloatFormat?
  private var bytes: [UInt8] = []
  private var strings: [String] = []
  /// Bits of elements under a byte, until they fill one.
  private var pending: UInt64 = 0
  private var pendingBits = 0

  static func decode(_ literal: Literal, as type: TensorType) throws(Diagnostic) -> ConstantSource {
    var decoder = LiteralDecoder(type: type, span: literal.span)
    try decoder.take(literal.payload, axis: 0)
    if type.dtype == .string { return .strings(decoder.strings) }
    if decoder.pendingBits > 0 { decoder.bytes.append(UInt8(truncatingIfNeeded: decoder.pending)) }
    return .bytes(decoder.bytes)
  }

  private init(type: TensorType, span: SourceSpan) {
    self.type = type
    self.span = span
    format = type.dtype.floatFormat
  }

  /// Takes what stands for the axes from `axis` on.
  private mutating func take(_ payload: Payload, axis: Int) throws(Diagnostic) {
    guard axis < type.shape.count else { return try element(payload) }
    guard case .list(let members) = payload, members.count == type.shape[axis] else {
      var came = "one value"
      if case .list(let members) = payload { came = "a list of \(members.count)" }
      throw fault(
        "expected a list of \(type.shape[axis]) for axis \(axis) of \(type.text), but \(came) came")
    }
    for member in members { try take(member, axis: axis + 1) }
  }

  private mutating func element(_ payload: Payload) throws(Diagnostic) {
    switch (payload, type.dtype) {
    case (.string(let text), .string): strings.append(text)
    case (.bool(let value), .bool): bytes.append(value ? 1 : 0)
    case (.number(let text), let dtype) where dtype != .bool && dtype != .string:
      try number(text)
    default:
      throw fault("expected \(type.dtype.rawValue), but \(Self.description(of: payload)) came")
    }
  }

  private mutating func number(_ text: String) throws(Diagnostic) {
    guard let number = NumberText(text), let width = type.dtype.bitWidth else {
      throw fault("`\(text)` is no number")
    }
    if let format {
      append(format.bits(of: number.value), width: width)
    } else {
      append(try integerBits(number, text, width: width), width: width)
    }
  }

  private func integerBits(
    _ number: NumberText, _ text: String, width: Int
  ) throws(Diagnostic) -> UInt64 {
    guard number.isInteger else {
      throw fault("expected a whole number of type \(type.dtype.rawValue), but `\(text)` came")
    }
    let signed = type.dtype.isSigned
    let largest = UInt64.max >> UInt64(64 - width + (signed ? 1 : 0))
    let smallest = signed ? largest + 1 : 0
    guard let value = number.value.integer,
      value.magnitude <= (value.isNegative ? smallest : largest)
    else {
      throw fault(
        "`\(text)` does not fit \(type.dtype.rawValue), which holds"
          + " \(signed ? "-" : "")\(smallest) to \(largest)")
    }
    return value.isNegative ? 0 &- value.magnitude : value.magnitude
  }

  /// Adds the low `width` bits, lowest first.
  private mutating func append(_ bits: UInt64, width: Int) {
    if width >= 8 {
      for byte in 0..<(width / 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte))) }
      return
    }
    pending |= (bits & (1 << width - 1)) << pendingBits
    pendingBits += width
    guard pendingBits >= 8 else { return }
    bytes.append(UInt8(truncatingIfNeeded: pending))
    pending >>= 8
    pendingBits -= 8
  }

  private static func description(of payload: Payload) -> String {
    switch payload {
    case .number(let text): return "`\(text)`"
    case .string: return "a string"
    case .bool(let value): return "`\(value)`"
    case .list: return "a list"
    case .pairs: return "a dict"
    case .tuple: return "a tuple"
    case .blob: return "a weight file"
    }
  }

  private func fault(_ message: String) -> Diagnostic {
    Diagnostic(message, rule: "literal", at: span)
  }
}

extension DType {
  /// The bit layout of a float type; `nil` for others.
  var floatFormat: FloatFormat? {
    switch self {
    case .fp16: return .fp16
    case .bf16: return .bf16
    case .fp8e4m3fn: return .fp8e4m3fn
    case .fp8e5m2: return .fp8e5m2
    case .fp32: return .fp32
    case .fp64: return .fp64
    default: return nil
    }
  }
}

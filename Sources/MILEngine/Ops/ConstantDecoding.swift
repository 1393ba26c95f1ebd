/// Turns the bytes of a constant into numbers. It knows element types, not where the bytes came from.

extension DType {
  /// Bits of one element as it lies in a blob; `nil` for strings.
  var bitWidth: Int? {
    switch self {
    case .string: nil
    case .uint1: 1
    case .uint2: 2
    case .uint3: 3
    case .int4, .uint4: 4
    case .uint6: 6
    case .bool, .int8, .uint8, .fp8e4m3fn, .fp8e5m2: 8
    case .fp16, .bf16, .int16, .uint16: 16
    case .fp32, .int32, .uint32: 32
    case .fp64, .int64, .uint64: 64
    }
  }

  var isFloat: Bool { floatFormat != nil }

  /// The integer types that are read with their sign.
  var isSigned: Bool {
    switch self {
    case .int4, .int8, .int16, .int32, .int64: true
    default: false
    }
  }

  /// The number that the low `bitWidth` bits of `bits` stand for.
  func number(bits: UInt64) -> Double {
    switch self {
    case .fp64: return Double(bitPattern: bits)
    case .fp32: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .bf16: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16))
    case .fp16: return HalfFloat.number(bits: UInt16(truncatingIfNeeded: bits))
    // The upper byte of a half; and a format of its own, without infinities.
    case .fp8e5m2: return HalfFloat.number(bits: UInt16(truncatingIfNeeded: bits << 8))
    case .fp8e4m3fn: return Self.small(UInt8(truncatingIfNeeded: bits))
    default: break
    }
    let width = bitWidth ?? 0
    guard isSigned, width < 64 else {
      return isSigned ? Double(Int64(bitPattern: bits)) : Double(bits)
    }
    let unused = UInt64(64 - width)
    return Double(Int64(bitPattern: bits << unused) >> Int64(unused))
  }

  private static func small(_ bits: UInt8) -> Double {
    let (exponent, fraction) = (Int(bits >> 3) & 15, Double(bits & 7))
    let sign: Double = bits & 0x80 == 0 ? 1 : -1
    if bits & 0x7F == 0x7F { return .nan }
    if exponent == 0 { return sign * fraction * 0x1p-9 }
    return sign * Double(sign: .plus, exponent: exponent - 10, significand: 8 + fraction)
  }
}

/// fp16 without the language's own type, which x86 Macs lack.
enum HalfFloat {
  static func number(bits: UInt16) -> Double {
    let exponent = Int(bits >> 10) & 31
    let fraction = Double(bits & 1023)
    let sign: Double = bits & 0x8000 == 0 ? 1 : -1
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * Double(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
    }
  }

  /// The nearest fp16 number, half to even; magnitudes from 65520 become infinite.
  static func rounded(_ value: Double) -> Double {
    guard value.isFinite, value != 0 else { return value }
    let magnitude = value.magnitude
    if magnitude >= 65520 { return value < 0 ? -.infinity : .infinity }
    let exponent = max(magnitude.exponent, -14)
    let unit = Double(sign: .plus, exponent: exponent - 10, significand: 1)
    return (value / unit).rounded(.toNearestOrEven) * unit
  }
}

extension ConstantValue {
  /// Decodes little-endian elements; `nil` when there are too few bytes or the type is no number.
  init?(type: TensorType, bytes: some RandomAccessCollection<UInt8>) {
    guard let width = type.dtype.bitWidth else { return nil }
    let count = type.elementCount
    let (bits, overflow) = count.multipliedReportingOverflow(by: width)
    guard !overflow, (bits + 7) / 8 <= bytes.count else { return nil }
    self.init(type: type, numbers: [], strings: [])
    numbers.reserveCapacity(count)
    let source = Array(bytes)
    for index in 0..<count {
      let first = index * width
      var element: UInt64 = 0
      if width % 8 == 0 {
        for byte in 0..<(width / 8) { element |= UInt64(source[first / 8 + byte]) << (8 * byte) }
      } else {
        for bit in 0..<width where source[(first + bit) / 8] >> ((first + bit) % 8) & 1 == 1 {
          element |= 1 << bit
        }
      }
      numbers.append(type.dtype.number(bits: element))
    }
  }

  /// Decodes a constant whose content stands in the text; `nil` for blobs.
  init?(type: TensorType, source: ConstantSource) {
    switch source {
    case .bytes(let bytes): self.init(type: type, bytes: bytes)
    case .strings(let strings): self.init(type: type, numbers: [], strings: strings)
    case .blob: return nil
    }
  }
}

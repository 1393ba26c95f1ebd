/// Binary floating-point formats: exact numbers in, rounded bit patterns out, and their hex text. It
/// knows no text that people write; that is `NumberText`.
struct FloatFormat: Sendable, Hashable {
  let exponentBits: Int
  /// Bits after the point, without the hidden one.
  let fractionBits: Int
  /// The largest exponent stands for infinities and NaN; otherwise for numbers too, but for one NaN.
  var hasInfinity = true

  static let fp16 = FloatFormat(exponentBits: 5, fractionBits: 10)
  static let bf16 = FloatFormat(exponentBits: 8, fractionBits: 7)
  static let fp32 = FloatFormat(exponentBits: 8, fractionBits: 23)
  static let fp64 = FloatFormat(exponentBits: 11, fractionBits: 52)
  static let fp8e5m2 = FloatFormat(exponentBits: 5, fractionBits: 2)
  static let fp8e4m3fn = FloatFormat(exponentBits: 4, fractionBits: 3, hasInfinity: false)

  var bias: Int { (1 << (exponentBits - 1)) - 1 }
  var signBit: UInt64 { 1 << UInt64(exponentBits + fractionBits) }
  /// What is beyond all numbers; NaN in a format without infinities.
  var infinity: UInt64 {
    let top: UInt64 = ((1 << UInt64(exponentBits)) - 1) << UInt64(fractionBits)
    return hasInfinity ? top : signBit - 1
  }
  var quietNaN: UInt64 { hasInfinity ? infinity | 1 << UInt64(fractionBits - 1) : infinity }

  /// The bit pattern nearest to an exact number, ties to even, rounded once.
  func bits(of number: ExactNumber) -> UInt64 {
    let sign = number.isNegative ? signBit : 0
    switch number.magnitude {
    case .zero: return sign
    case .infinity: return sign | infinity
    case .nan: return quietNaN
    case .finite(let significand, let exponent, let hasMore):
      return sign | magnitude(of: significand, exponent, hasMore)
    }
  }

  /// Rounds significand x 2^exponent; the significand's top bit is set.
  private func magnitude(of significand: UInt64, _ exponent: Int, _ hasMore: Bool) -> UInt64 {
    let top = exponent + 63
    if top > bias + (hasInfinity ? 0 : 1) { return infinity }
    let smallest = 1 - bias
    let isNormal = top >= smallest
    let dropped = 63 - fractionBits + (isNormal ? 0 : smallest - top)
    if dropped > 64 { return 0 }
    var kept = dropped == 64 ? 0 : significand >> UInt64(dropped)
    let half: UInt64 = 1 << UInt64(dropped - 1)
    let rest = dropped == 64 ? significand : significand & (half << 1 &- 1)
    if rest > half || (rest == half && (hasMore || kept & 1 == 1)) { kept += 1 }
    // The hidden bit, and a carry out of the fraction, land in the exponent where they belong.
    if isNormal { kept += UInt64(top + bias - 1) << UInt64(fractionBits) }
    return min(kept, infinity)
  }

  /// The shortest C99 hex float that means exactly these bits, as Apple's compiler prints it.
  func hexText(_ bits: UInt64) -> String {
    let magnitude = bits & ~signBit
    if magnitude > infinity || (!hasInfinity && magnitude == infinity) { return "nan" }
    let sign = bits & signBit == 0 ? "" : "-"
    if magnitude == infinity { return sign + "inf" }
    if magnitude == 0 { return sign + "0x0p+0" }
    var exponent = Int(magnitude >> UInt64(fractionBits))
    var fraction = magnitude & (1 << UInt64(fractionBits) - 1)
    if exponent == 0 {
      let shift = fractionBits + 1 - (64 - fraction.leadingZeroBitCount)
      fraction = (fraction << UInt64(shift)) & (1 << UInt64(fractionBits) - 1)
      exponent = 1 - shift
    }
    exponent -= bias
    var digits = fraction << UInt64(64 - fractionBits)
    var text = sign + "0x1" + (digits == 0 ? "" : ".")
    while digits != 0 {
      text += String(digits >> 60, radix: 16)
      digits <<= 4
    }
    return text + (exponent < 0 ? "p-" : "p+") + String(exponent.magnitude)
  }
}

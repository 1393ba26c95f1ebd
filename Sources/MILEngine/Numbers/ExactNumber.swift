/// A number exactly as its text says, as far as any rounding can tell. It knows no target format.
struct ExactNumber: Sendable, Hashable {
  enum Magnitude: Sendable, Hashable {
    case zero
    /// significand x 2^exponent, top bit set; `hasMore`: and a rest too small to reach a rounding bit.
    case finite(significand: UInt64, exponent: Int, hasMore: Bool)
    case infinity
    case nan
  }
  var isNegative: Bool
  var magnitude: Magnitude

  /// The integer it is, when it is one.
  var integer: (isNegative: Bool, magnitude: UInt64)? {
    switch magnitude {
    case .zero: return (isNegative, 0)
    case .finite(let significand, let exponent, false):
      guard exponent <= 0, exponent > -64 else { return nil }
      let shift = UInt64(-exponent)
      guard significand.trailingZeroBitCount >= Int(shift) else { return nil }
      return (isNegative, significand >> shift)
    default: return nil
    }
  }
}

extension ExactNumber.Magnitude {
  /// significand x 2^exponent + sticky rest, brought to a set top bit. Exact: no bit is lost.
  init(significand: UInt64, exponent: Int, hasMore: Bool) {
    guard significand != 0 else {
      self = .zero
      return
    }
    let shift = significand.leadingZeroBitCount
    self = .finite(
      significand: significand << UInt64(shift), exponent: exponent - shift, hasMore: hasMore)
  }

  /// digits x 10^exponent, for up to 19 digits.
  init(decimal digits: UInt64, exponent: Int) {
    guard digits != 0 else {
      self = .zero
      return
    }
    guard abs(exponent) <= 19 else {
      self = DecimalDigits(digits).magnitude(exponent: exponent, hasMore: false)
      return
    }
    var power: UInt64 = 1
    for _ in 0..<abs(exponent) { power *= 10 }
    if exponent >= 0 {
      let (high, low) = digits.multipliedFullWidth(by: power)
      self.init(wide: UInt128(high) << 64 | UInt128(low), exponent: 0, hasMore: false)
      return
    }
    let shift = digits.leadingZeroBitCount
    let dividend = UInt128(digits << UInt64(shift)) << 64
    let (quotient, rest) = dividend.quotientAndRemainder(dividingBy: UInt128(power))
    self.init(wide: quotient, exponent: -64 - shift, hasMore: rest != 0)
  }

  /// The top 64 bits of a wide significand; what falls off is remembered in `hasMore`.
  init(wide: UInt128, exponent: Int, hasMore: Bool) {
    let excess = max(0, 64 - wide.leadingZeroBitCount)
    let top = UInt64(truncatingIfNeeded: wide >> UInt128(excess))
    let fell = wide & ((1 << UInt128(excess)) - 1) != 0
    self.init(significand: top, exponent: exponent + excess, hasMore: hasMore || fell)
  }
}

/// A whole number of any size, for decimals too long for machine words.
struct DecimalDigits {
  /// Little-endian; the last limb is not zero.
  private var limbs: [UInt32] = []

  init(_ value: UInt64) {
    limbs = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    trim()
  }

  /// self = self x factor + addend
  mutating func multiply(by factor: UInt32, adding addend: UInt32) {
    var carry = UInt64(addend)
    for index in limbs.indices {
      let product = UInt64(limbs[index]) * UInt64(factor) + carry
      limbs[index] = UInt32(truncatingIfNeeded: product)
      carry = product >> 32
    }
    if carry != 0 { limbs.append(UInt32(carry)) }
  }

  /// self x 10^exponent with 64 exact leading bits.
  func magnitude(exponent: Int, hasMore: Bool) -> ExactNumber.Magnitude {
    var whole = self
    var hasMore = hasMore
    var scale = 0
    if exponent >= 0 {
      for _ in 0..<exponent { whole.multiply(by: 10, adding: 0) }
    } else {
      // 10^n < 2^(4n): after the division at least 64 bits are left.
      let words = (-exponent * 4 + 64) / 32 + 1
      whole.limbs = Array(repeating: 0, count: words) + whole.limbs
      scale = -32 * words
      for _ in 0..<(-exponent) where whole.divide(by: 10) != 0 { hasMore = true }
    }
    return whole.leadingBits(scale: scale, hasMore: hasMore)
  }

  /// Divides in place; the remainder.
  private mutating func divide(by divisor: UInt32) -> UInt32 {
    var rest: UInt64 = 0
    for index in limbs.indices.reversed() {
      let value = rest << 32 | UInt64(limbs[index])
      limbs[index] = UInt32(truncatingIfNeeded: value / UInt64(divisor))
      rest = value % UInt64(divisor)
    }
    trim()
    return UInt32(rest)
  }

  private mutating func trim() {
    while limbs.last == 0 { limbs.removeLast() }
  }

  private func leadingBits(scale: Int, hasMore: Bool) -> ExactNumber.Magnitude {
    var top: UInt128 = 0
    for limb in limbs.suffix(3).reversed() { top = top << 32 | UInt128(limb) }
    let below = limbs.dropLast(3)
    return ExactNumber.Magnitude(
      wide: top, exponent: scale + 32 * below.count,
      hasMore: hasMore || below.contains { $0 != 0 })
  }
}

/// Reads a number as MIL writes it: integers, decimals, C99 hex floats, `inf` and `nan`. It rounds
/// nothing; that is `FloatFormat`.
struct NumberText {
  let value: ExactNumber
  /// Written with neither point nor exponent.
  let isInteger: Bool

  /// `nil` when the text is no number.
  init?(_ text: String) {
    var text = text
    guard let reading = text.withUTF8({ Self.read($0) }) else { return nil }
    self = reading
  }

  /// The value of a digit, or `nil`.
  static func digit(_ byte: UInt8, hex: Bool) -> UInt8? {
    let decimal = byte &- UInt8(ascii: "0")
    if decimal < 10 { return decimal }
    let letter = (byte | 0x20) &- UInt8(ascii: "a")
    return hex && letter < 6 ? letter + 10 : nil
  }

  private init(_ magnitude: ExactNumber.Magnitude, isNegative: Bool, isInteger: Bool) {
    value = ExactNumber(isNegative: isNegative, magnitude: magnitude)
    self.isInteger = isInteger
  }

  private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> NumberText? {
    guard let first = bytes.first else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    let body = isNegative || first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes[...]
    if body.elementsEqual("inf".utf8) {
      return NumberText(.infinity, isNegative: isNegative, isInteger: false)
    }
    if body.elementsEqual("nan".utf8) {
      return NumberText(.nan, isNegative: isNegative, isInteger: false)
    }
    let isHex = body.starts(with: "0x".utf8) || body.starts(with: "0X".utf8)
    var scan = DigitScan(isHex: isHex)
    guard let rest = scan.take(isHex ? body.dropFirst(2) : body) else { return nil }
    let marker = rest.first.map { $0 | 0x20 }
    var exponent = 0
    if marker == UInt8(ascii: isHex ? "p" : "e") {
      guard let read = readExponent(rest.dropFirst()) else { return nil }
      exponent = read
    } else if !rest.isEmpty {
      return nil
    }
    return NumberText(
      scan.magnitude(exponent: exponent), isNegative: isNegative,
      isInteger: !scan.sawPoint && rest.isEmpty)
  }

  /// Exponents past any float stand still, so that no text can overflow.
  private static func readExponent(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    let isNegative = bytes.first == UInt8(ascii: "-")
    let digits = isNegative || bytes.first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes
    guard !digits.isEmpty else { return nil }
    var value = 0
    for byte in digits {
      guard let digit = digit(byte, hex: false) else { return nil }
      value = min(value * 10 + Int(digit), 1 << 40)
    }
    return isNegative ? -value : value
  }
}

/// Gathers the digits of one number around its point.
private struct DigitScan {
  let isHex: Bool
  private(set) var sawPoint = false
  private var significand: UInt64 = 0
  /// The same digits when a machine word no longer holds them.
  private var long: DecimalDigits?
  private var digitCount = 0
  private var droppedNonzero = false
  /// Power of the base that the gathered digits stand before the point, less those after it.
  private var shift = 0

  /// No format tells two decimals apart after this many digits; the longest tie has 767.
  private static let longest = 800

  init(isHex: Bool) { self.isHex = isHex }

  /// Takes digits and point; what follows them, or `nil` when there was no digit.
  mutating func take(
    _ bytes: Slice<UnsafeBufferPointer<UInt8>>
  ) -> Slice<UnsafeBufferPointer<UInt8>>? {
    var sawDigit = false
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index] == UInt8(ascii: "."), !sawPoint {
        sawPoint = true
      } else if let digit = NumberText.digit(bytes[index], hex: isHex) {
        sawDigit = true
        add(digit)
      } else {
        break
      }
      index += 1
    }
    return sawDigit ? bytes[index...] : nil
  }

  private mutating func add(_ digit: UInt8) {
    if sawPoint { shift -= 1 }
    if digitCount == 0, digit == 0 { return }
    let room = isHex ? 16 : Self.longest
    if digitCount == room {
      droppedNonzero = droppedNonzero || digit != 0
      shift += 1
      return
    }
    digitCount += 1
    if isHex || digitCount <= 19 {
      significand = significand * (isHex ? 16 : 10) + UInt64(digit)
      return
    }
    long = long ?? DecimalDigits(significand)
    long?.multiply(by: 10, adding: UInt32(digit))
  }

  func magnitude(exponent: Int) -> ExactNumber.Magnitude {
    if digitCount == 0 { return .zero }
    if isHex {
      return ExactNumber.Magnitude(
        significand: significand, exponent: exponent + 4 * shift, hasMore: droppedNonzero)
    }
    let power = exponent + shift
    let point = digitCount + power
    if abs(point) > 400 {
      // Beyond every format on either side; which one is all that matters.
      return .finite(significand: 1 << 63, exponent: point > 0 ? 1 << 20 : -1 << 20, hasMore: true)
    }
    if let long { return long.magnitude(exponent: power, hasMore: droppedNonzero) }
    return ExactNumber.Magnitude(decimal: significand, exponent: power)
  }
}

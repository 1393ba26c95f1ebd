/// What the 4-byte words of the engine's memory stand for, and conversions that never trap.
#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum Words {
  static func float(_ word: UInt32) -> Float { Float(bitPattern: word) }
  static func signed(_ word: UInt32) -> Int32 { Int32(bitPattern: word) }
  static func word(_ value: Float) -> UInt32 { value.bitPattern }
  static func word(_ value: Int32) -> UInt32 { UInt32(bitPattern: value) }
  static func word(_ value: Bool) -> UInt32 { value ? 1 : 0 }

  /// Cut toward zero; what does not fit becomes the smallest int32, as the processor does.
  static func integer(_ value: Double) -> Int32 {
    guard value > -2_147_483_649, value < 2_147_483_648 else { return .min }
    return Int32(value)
  }

  /// An integer as a narrower type holds it.
  static func narrowed(_ value: Int32, to dtype: DType) -> Int32 {
    switch dtype {
    case .int8: Int32(Int8(truncatingIfNeeded: value))
    case .uint8: Int32(UInt8(truncatingIfNeeded: value))
    case .int16: Int32(Int16(truncatingIfNeeded: value))
    case .uint16: Int32(UInt16(truncatingIfNeeded: value))
    default: value
    }
  }

  #if canImport(Glibc)
    static func log(_ value: Double) -> Double { Glibc.log(value) }
    static func exp(_ value: Double) -> Double { Glibc.exp(value) }
    static func power(_ base: Double, _ exponent: Double) -> Double { Glibc.pow(base, exponent) }
    static func cosine(_ value: Double) -> Double { Glibc.cos(value) }
    static func tangent(hyperbolic value: Double) -> Double { Glibc.tanh(value) }
  #else
    static func log(_ value: Double) -> Double { Darwin.log(value) }
    static func exp(_ value: Double) -> Double { Darwin.exp(value) }
    static func power(_ base: Double, _ exponent: Double) -> Double { Darwin.pow(base, exponent) }
    static func cosine(_ value: Double) -> Double { Darwin.cos(value) }
    static func tangent(hyperbolic value: Double) -> Double { Darwin.tanh(value) }
  #endif
}

/// How numbers behave between and inside ops.
public struct Arithmetic: Sendable, Hashable {
  public enum Storage: String, Sendable {
    /// Every float value is stored as its declared type says, sums in fp32.
    case declared
    /// Every float value is rounded to fp16 at the end of the op that makes it, sums in fp32.
    case fp16
    /// No value is rounded below fp32, whatever its type; for telling a wrong graph from a loss by
    /// rounding.
    case fp32
  }
  public var storage: Storage
  /// Magnitude from which a matmul or convolution result becomes infinite; `nil`: the type's own range.
  public var macOverflowsAt: Float?
  /// NaN never comes out: it enters as +inf, and an indeterminate result is +0.
  public var hidesNaN: Bool
  /// Results of matmul and conv under the smallest normal fp16 number are zero.
  public var flushesSums = false
  /// Magnitude above which a slice of the last axis that starts past 0 gives infinity; `nil`: none.
  public var widthSliceOverflowsAbove: Float?
  /// log(+0) where it is not -inf.
  public var logOfZero: Float?
  /// Four neighbouring terms of a product are summed first, and sums of four above this magnitude are rounded to
  /// fp16 on their own; `nil`: none are.
  public var laneTilesAbove: Float?
  /// Sums of products midway between two fp16 numbers go away from zero, not to the even one.
  public var tiesAwayInSums = false
  /// Some activations are straight lines between the knots of a table.
  public var tabulates = false
  /// softplus(+inf) and softsign(+inf) are +0, and dividing by -0 is dividing by +0.
  public var mistakesInfinity = false
  /// `scaled_dot_product_attention` does not look at its mask.
  public var ignoresAttentionMask: Bool

  public init(
    storage: Storage, macOverflowsAt: Float?, hidesNaN: Bool, flushesSums: Bool = false,
    widthSliceOverflowsAbove: Float? = nil, logOfZero: Float? = nil,
    mistakesInfinity: Bool = false, laneTilesAbove: Float? = nil, tiesAwayInSums: Bool = false
  ) {
    self.storage = storage
    self.macOverflowsAt = macOverflowsAt
    self.hidesNaN = hidesNaN
    self.flushesSums = flushesSums
    self.widthSliceOverflowsAbove = widthSliceOverflowsAbove
    self.logOfZero = logOfZero
    self.mistakesInfinity = mistakesInfinity
    self.laneTilesAbove = laneTilesAbove
    self.tiesAwayInSums = tiesAwayInSums
    ignoresAttentionMask = storage == .fp16
  }

  /// Results of ops are more than rounded.
  public var hasOwnWays: Bool {
    hidesNaN || flushesSums || widthSliceOverflowsAbove != nil || logOfZero != nil
      || mistakesInfinity || tabulates
  }

  /// The host's.
  public static let ieee = Arithmetic(storage: .declared, macOverflowsAt: nil, hidesNaN: false)
  /// The engine's on most chips.
  static let engine = Arithmetic(storage: .fp16, macOverflowsAt: 32_768, hidesNaN: false)
  /// The same with ties as M5 rounds them.
  static let engineOfM5 = Arithmetic(
    storage: .fp16, macOverflowsAt: 32_768, hidesNaN: false, tiesAwayInSums: true)
  /// Without any rounding below fp32 and without the engine's ways.
  public static let unrounded = Arithmetic(storage: .fp32, macOverflowsAt: nil, hidesNaN: false)
}

extension Arithmetic {
  /// Every field but the storage as a number, NaN for none: what a file keeps of it.
  public var settings: [Float] {
    [
      macOverflowsAt ?? .nan, hidesNaN ? 1 : 0, flushesSums ? 1 : 0,
      widthSliceOverflowsAbove ?? .nan, logOfZero ?? .nan, mistakesInfinity ? 1 : 0,
      ignoresAttentionMask ? 1 : 0, laneTilesAbove ?? .nan, tiesAwayInSums ? 1 : 0,
      tabulates ? 1 : 0,
    ]
  }

  /// What `settings` gave; `nil` when it is not as many.
  public init?(storage: Storage, settings: [Float]) {
    guard settings.count == Arithmetic.ieee.settings.count else { return nil }
    let optional = { (value: Float) in value.isNaN ? nil : value }
    self.init(
      storage: storage, macOverflowsAt: optional(settings[0]), hidesNaN: settings[1] != 0,
      flushesSums: settings[2] != 0, widthSliceOverflowsAbove: optional(settings[3]),
      logOfZero: optional(settings[4]), mistakesInfinity: settings[5] != 0,
      laneTilesAbove: optional(settings[7]), tiesAwayInSums: settings[8] != 0)
    ignoresAttentionMask = settings[6] != 0
    tabulates = settings[9] != 0
  }
}

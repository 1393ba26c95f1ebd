/// What some engines do to an op's result beyond rounding it.
struct Finish: Sendable, Hashable {
  /// Numbers under the smallest normal fp16 number become 0.
  var flushes = false
  /// Magnitudes above it become infinite.
  var overflowsAbove: Float?
  /// What stands in the place of +inf and -inf.
  var positiveInfinity: Float?
  var negativeInfinity: Float?
  /// What stands in the place of NaN.
  var notANumber: Float?
  /// -0 becomes +0.
  var dropsSignOfZero = false

  var isNothing: Bool { self == Finish() }

  static let smallestNormal: Float = 0x1p-14

  func callAsFunction(_ value: Float) -> Float {
    if value.isNaN { return notANumber ?? value }
    if let limit = overflowsAbove, abs(value) > limit {
      return value < 0 ? -.infinity : .infinity
    }
    if value.isInfinite { return (value > 0 ? positiveInfinity : negativeInfinity) ?? value }
    if flushes, abs(value) < Finish.smallestNormal { return 0 }
    return dropsSignOfZero && value == 0 ? 0 : value
  }
}

/// Dense target = dense source, finished.
struct FinishStep: Step {
  let finish: Finish
  let source: Place
  let target: Place
  let count: Int
  var reads: [Int] { [source.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (source, target) = (frame.floats(source), frame.floats(target))
    for index in 0..<count { target[index] = finish(source[index]) }
  }
}

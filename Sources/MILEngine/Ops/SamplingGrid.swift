/// Where along an axis a resized value looks, by the sampling modes that the resizing ops share.

enum SamplingMode: String, CaseIterable {
  /// The first and last points lie on the first and last elements.
  case strict = "STRICT_ALIGN_CORNERS"
  /// The same, but a single point lies in the middle.
  case aligned = "ALIGN_CORNERS"
  /// Points lie `length / count` apart, from the first element on.
  case plain = "DEFAULT"
  /// Points lie in the middle of `count` equal parts of the way from the first element to the last.
  case offset = "OFFSET_CORNERS"
  /// Points lie in the middle of `count` equal parts of the axis, whose elements are parts too.
  case unaligned = "UNALIGN_CORNERS"

  /// The places of `count` points on elements `first` to `last`, which need be no whole numbers.
  func points(first: Double, last: Double, count: Int) -> [Double] {
    let length = last - first + 1
    let (low, high) = (min(first, last), max(first, last))
    return (0..<count).map { index in
      let i = Double(index)
      let number = Double(count)
      switch self {
      case .strict, .aligned:
        guard count > 1 else { return self == .aligned ? (first + last) / 2 : first }
        return first + i * (last - first) / (number - 1)
      case .plain: return min(high, max(low, first + i * length / number))
      case .offset: return min(high, max(low, first + (i + 0.5) * max(1, length - 1) / number))
      case .unaligned:
        return min(high, max(low, first + (i + 0.5) * length / number - 0.5))
      }
    }
  }
}

/// The two elements that a point lies between, and how near it is to the second.
struct Tap: Sendable {
  let first: Int
  let second: Int
  let weight: Double

  init(at point: Double, length: Int) {
    let below = Int(max(0, min(point.rounded(.down), Double(length - 1))))
    first = below
    second = min(below + 1, length - 1)
    weight = point - Double(below)
  }

  /// One element alone.
  init(_ index: Int) { (first, second, weight) = (index, index, 0) }

  /// The element nearest to the point; a half counts up.
  static func nearest(to point: Double, length: Int) -> Tap {
    Tap(Int(max(0, min((point + 0.5).rounded(.down), Double(length - 1)))))
  }
}

/// The value between neighbours, one axis after the other.
struct GridSampler: Sendable {
  /// By axis, for each place of the result.
  let taps: [[Tap]]
  /// Elements of one step along each axis of the operand.
  let strides: [Int]
  /// The same of the result.
  let steps: [Int]

  init(taps: [[Tap]], strides: [Int]) {
    self.taps = taps
    self.strides = strides
    steps = Shape.strides(taps.map(\.count))
  }

  /// The sum over all corners around an element of the result, from the last axis inwards.
  func value(_ index: Int, from axis: Int = 0, at offset: Int = 0, _ read: (Int) -> Double)
    -> Double
  {
    guard axis < taps.count else { return read(offset) }
    let tap = taps[axis][index / steps[axis] % taps[axis].count]
    let first = value(index, from: axis + 1, at: offset + tap.first * strides[axis], read)
    guard tap.weight != 0 else { return first }
    let second = value(index, from: axis + 1, at: offset + tap.second * strides[axis], read)
    return first + (second - first) * tap.weight
  }
}

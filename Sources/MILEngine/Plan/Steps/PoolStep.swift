/// One number for each window of each plane: its largest element, its mean, or the root of the sum
/// of its squares. Sums run in double and are rounded once.
struct PoolStep: Step {
  enum Kind: Sendable {
    case largest
    case mean
    case rootOfSquares
  }
  let kind: Kind
  let x: Place
  let target: Place
  let planes: Int
  let kernel: SlidingKernel
  let isHalf: Bool
  /// Zeros around the input count as elements of a mean; what a window has beyond them never does.
  let countsPadding: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.floats(x), frame.floats(target))
    let windows = kernel.output.reduce(1, *)
    let elements = kernel.input.reduce(1, *)
    let places = Shape.strides(kernel.output)
    for window in 0..<windows {
      var ranges: [Range<Int>] = []
      var padded = 1
      for axis in kernel.input.indices {
        let step = window / places[axis] % kernel.output[axis]
        let begin = step * kernel.strides[axis] - kernel.padBefore[axis]
        let end = begin + kernel.size[axis]
        let limit = kernel.input[axis] + kernel.padAfter[axis]
        padded *= max(min(end, limit) - begin, 0)
        let first = min(max(begin, 0), kernel.input[axis])
        ranges.append(first..<max(min(end, kernel.input[axis]), first))
      }
      let inside = ranges.reduce(1) { $0 * $1.count }
      for plane in 0..<planes {
        let number = fold(x + plane * elements, ranges, count: countsPadding ? padded : inside)
        target[plane * windows + window] = Float(isHalf ? HalfFloat.rounded(number) : number)
      }
    }
  }

  private func fold(
    _ plane: UnsafeMutablePointer<Float>, _ ranges: [Range<Int>], count: Int
  ) -> Double {
    let strides = Shape.strides(kernel.input)
    var sum = 0.0
    var largest = -Double.infinity
    forEachOffset(ranges.map(\.count), strides) { offset in
      let first = zip(ranges, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
      let value = Double(plane[first + offset])
      switch kind {
      case .largest: largest = largest.isNaN || value.isNaN ? .nan : max(largest, value)
      case .mean: sum += value
      case .rootOfSquares: sum += value * value
      }
    }
    switch kind {
    case .largest: return largest
    case .mean: return sum / Double(count)
    case .rootOfSquares: return sum.squareRoot()
    }
  }
}

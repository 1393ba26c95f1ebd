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
    let rank = kernel.input.count
    let windows = kernel.output.reduce(1, *)
    let elements = kernel.input.reduce(1, *)
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * rank) { memory in
      // Elements of a window along each axis, and how far apart they lie.
      let counts = UnsafeMutableBufferPointer(rebasing: memory[..<rank])
      let strides = UnsafeMutableBufferPointer(rebasing: memory[rank...])
      strides.initialize(repeating: 1)
      for axis in kernel.input.indices.dropLast().reversed() {
        strides[axis] = strides[axis + 1] * kernel.input[axis + 1]
      }
      counts.initialize(repeating: 0)
      for window in 0..<windows {
        var (padded, first, rest) = (1, 0, window)
        for axis in kernel.input.indices.reversed() {
          let step = rest % kernel.output[axis]
          rest /= kernel.output[axis]
          let begin = step * kernel.strides[axis] - kernel.padBefore[axis]
          let end = begin + kernel.size[axis]
          let limit = kernel.input[axis] + kernel.padAfter[axis]
          padded *= max(min(end, limit) - begin, 0)
          let inside = min(max(begin, 0), kernel.input[axis])
          first += inside * strides[axis]
          counts[axis] = max(min(end, kernel.input[axis]) - inside, 0)
        }
        let divisor = countsPadding ? padded : counts.reduce(1, *)
        for plane in 0..<planes {
          let number = fold(x + (plane * elements + first), counts, strides, divisor)
          target[plane * windows + window] = Float(isHalf ? HalfFloat.rounded(number) : number)
        }
      }
    }
  }

  private func fold(
    _ window: UnsafeMutablePointer<Float>, _ counts: UnsafeMutableBufferPointer<Int>,
    _ strides: UnsafeMutableBufferPointer<Int>, _ count: Int
  ) -> Double {
    var sum = 0.0
    var largest = -Double.infinity
    forEachOffset(counts, strides) { offset in
      let value = Double(window[offset])
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

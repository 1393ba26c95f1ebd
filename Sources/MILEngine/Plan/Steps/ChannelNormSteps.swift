/// Norms of [batch][channel][inner] tensors in double, rounded once.

/// gamma (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.
struct ChannelNormStep: Step {
  enum Statistics: Sendable {
    /// Of each channel, whatever the input.
    case given(mean: Place, variance: Place)
    /// Of each plane of the input.
    case own
  }
  let statistics: Statistics
  let x: Place
  let target: Place
  let gamma: Place?
  let beta: Place?
  let shape: FoldShape
  let epsilon: Double
  let isHalf: Bool
  var reads: [Int] {
    let more = [gamma, beta].compactMap { $0?.buffer }
    if case .given(let mean, let variance) = statistics {
      return [x.buffer, mean.buffer, variance.buffer] + more
    }
    return [x.buffer] + more
  }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.floats(x), frame.floats(target))
    for plane in 0..<(shape.outer * shape.count) {
      let channel = plane % shape.count
      let source = x + plane * shape.inner
      let (mean, variance) = moments(source, channel, frame)
      let root = (variance + epsilon).squareRoot()
      let scale = gamma.map { Double(frame.floats($0)[channel]) } ?? 1
      let shift = beta.map { Double(frame.floats($0)[channel]) } ?? 0
      for index in 0..<shape.inner {
        let number = (Double(source[index]) - mean) / root * scale + shift
        target[plane * shape.inner + index] =
          Float(isHalf ? HalfFloat.rounded(number) : number)
      }
    }
  }

  private func moments(
    _ plane: UnsafeMutablePointer<Float>, _ channel: Int, _ frame: Frame
  ) -> (mean: Double, variance: Double) {
    if case .given(let mean, let variance) = statistics {
      return (Double(frame.floats(mean)[channel]), Double(frame.floats(variance)[channel]))
    }
    let values = UnsafeBufferPointer(start: plane, count: shape.inner)
    let mean = values.reduce(0) { $0 + Double($1) } / Double(shape.inner)
    let spread = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, spread / Double(shape.inner))
  }
}

/// x / sqrt(sum of x^2 + epsilon) over [outer][count].
struct LengthNormStep: Step {
  let x: Place
  let target: Place
  let outer: Int
  let count: Int
  let epsilon: Double
  let isHalf: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    for block in 0..<outer {
      let source = frame.floats(x) + block * count
      let target = frame.floats(target) + block * count
      let sum = (0..<count).reduce(0.0) { $0 + Double(source[$1]) * Double(source[$1]) }
      let root = (sum + epsilon).squareRoot()
      for index in 0..<count {
        let number = Double(source[index]) / root
        target[index] = Float(isHalf ? HalfFloat.rounded(number) : number)
      }
    }
  }
}

/// x / (k + alpha / size * sum of x^2)^beta, the sum over `size` channels around each one.
struct ResponseNormStep: Step {
  let x: Place
  let target: Place
  let shape: FoldShape
  let size: Int
  let alpha: Double
  let beta: Double
  let k: Double
  let isHalf: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.floats(x), frame.floats(target))
    for index in 0..<(shape.outer * shape.count * shape.inner) {
      let channel = index / shape.inner % shape.count
      let zeroth = index - channel * shape.inner
      // An even number of neighbours reaches further down.
      let first = max(channel - size / 2, 0)
      let last = min(channel - size / 2 + size - 1, shape.count - 1)
      var sum = 0.0
      for neighbour in first...max(last, first) {
        let value = Double(x[zeroth + neighbour * shape.inner])
        sum += value * value
      }
      let base = k + alpha / Double(size) * sum
      let number = Double(x[index]) / Words.power(base, beta)
      target[index] = Float(isHalf ? HalfFloat.rounded(number) : number)
    }
  }
}

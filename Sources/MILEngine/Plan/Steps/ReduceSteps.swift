/// Folds, softmax and norms over dense [outer][count][inner] tensors.
import CKernels

/// The axes a fold sees.
struct FoldShape: Sendable, Hashable {
  let outer: Int
  let count: Int
  let inner: Int

  var text: String { "\(outer) x \(count) x \(inner)" }
}

struct ReduceStep: Step {
  let reduction: orion_reduction
  let x: Place
  let y: Place
  let shape: FoldShape
  let rounding: orion_rounding
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [y.buffer] }
  var label: String { "fold \(shape.text)" }

  func run(_ frame: Frame) {
    orion_reduce(
      reduction, frame.floats(x), frame.floats(y), shape.outer, shape.count, shape.inner, rounding)
  }
}

/// The folds of int32, in 64-bit integers or double, cut to 32 bits at the end.
struct IntegerReduceStep: Step {
  let reduction: orion_reduction
  let x: Place
  let y: Place
  let shape: FoldShape
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [y.buffer] }

  func run(_ frame: Frame) {
    let (x, y) = (frame.words(x), frame.words(y))
    for outer in 0..<shape.outer {
      for inner in 0..<shape.inner {
        let first = x + (outer * shape.count * shape.inner + inner)
        y[outer * shape.inner + inner] = UInt32(bitPattern: fold(first))
      }
    }
  }

  private func fold(_ values: UnsafeMutablePointer<UInt32>) -> Int32 {
    func exact(_ start: Int64, _ step: (Int64, Int64) -> Int64) -> Int64 {
      var result = start
      for index in 0..<shape.count {
        result = step(result, Int64(Words.signed(values[index * shape.inner])))
      }
      return result
    }
    func sum(_ term: (Double) -> Double) -> Double {
      var result = 0.0
      for index in 0..<shape.count {
        result += term(Double(Words.signed(values[index * shape.inner])))
      }
      return result
    }
    let result: Int64
    switch reduction {
    case ORION_REDUCE_MAX: result = exact(Int64(Int32.min)) { max($0, $1) }
    case ORION_REDUCE_MIN: result = exact(Int64(Int32.max)) { min($0, $1) }
    case ORION_REDUCE_PROD: result = exact(1) { $0 &* $1 }
    case ORION_REDUCE_SUM_SQUARE: result = exact(0) { $0 &+ $1 &* $1 }
    case ORION_REDUCE_L1: result = exact(0) { $0 &+ abs($1) }
    case ORION_REDUCE_SUM: result = exact(0) { $0 &+ $1 }
    case ORION_REDUCE_MEAN:
      return Words.integer(Double(exact(0) { $0 &+ $1 }) / Double(shape.count))
    case ORION_REDUCE_L2: return Words.integer(sum { $0 * $0 }.squareRoot())
    case ORION_REDUCE_LOG_SUM: return Words.integer(Words.log(Double(exact(0) { $0 &+ $1 })))
    default: return Words.integer(Words.log(sum { Words.exp($0) }))
    }
    return Int32(truncatingIfNeeded: result)
  }
}

struct SoftmaxStep: Step {
  let x: Place
  let y: Place
  let shape: FoldShape
  let rounding: orion_rounding
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [y.buffer] }
  var label: String { "softmax \(shape.text)" }

  func run(_ frame: Frame) {
    orion_softmax(
      frame.floats(x), frame.floats(y), shape.outer, shape.count, shape.inner, rounding)
  }
}

struct NormStep: Step {
  enum Kind: Sendable {
    case layer
    /// Without subtracting the mean.
    case rootMeanSquare
  }
  let kind: Kind
  let x: Place
  let y: Place
  let gamma: Place?
  let beta: Place?
  let epsilon: Float
  let shape: FoldShape
  let rounding: orion_rounding
  /// Columns of y lie in panels of 16.
  var yInPanels = false
  var reads: [Int] { [x.buffer] + [gamma, beta].compactMap { $0?.buffer } }
  var writes: [Int] { [y.buffer] }
  var label: String { "norm \(shape.text)" }

  func run(_ frame: Frame) {
    let gamma = gamma.map { UnsafePointer(frame.floats($0)) }
    switch kind {
    case .layer:
      orion_layer_norm(
        frame.floats(x), frame.floats(y), gamma, beta.map { UnsafePointer(frame.floats($0)) },
        epsilon, shape.outer, shape.count, shape.inner, rounding, yInPanels)
    case .rootMeanSquare:
      orion_rms_norm(
        frame.floats(x), frame.floats(y), gamma, epsilon, shape.outer, shape.count, shape.inner,
        rounding, yInPanels)
    }
  }
}

/// The place of the first largest or smallest element.
struct ExtremeStep: Step {
  let x: Place
  let y: Place
  let shape: FoldShape
  let isFloat: Bool
  let wantsLargest: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [y.buffer] }

  func run(_ frame: Frame) {
    let (x, y) = (frame.words(x), frame.words(y))
    for outer in 0..<shape.outer {
      for inner in 0..<shape.inner {
        let first = outer * shape.count * shape.inner + inner
        var best = 0
        var bestValue = number(x[first])
        for index in 1..<max(shape.count, 1) {
          let value = number(x[first + index * shape.inner])
          // The first NaN counts as the extreme, as in numpy.
          guard !bestValue.isNaN else { break }
          if value.isNaN || (wantsLargest ? value > bestValue : value < bestValue) {
            (best, bestValue) = (index, value)
          }
        }
        y[outer * shape.inner + inner] = UInt32(truncatingIfNeeded: best)
      }
    }
  }

  private func number(_ word: UInt32) -> Double {
    isFloat ? Double(Float(bitPattern: word)) : Double(Int32(bitPattern: word))
  }
}

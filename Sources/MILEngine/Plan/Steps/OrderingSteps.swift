/// Steps that walk along one axis: sorting, running sums, reversal.

/// The first elements of each line in order, and their places. Equal elements keep their order, and
/// what is not a number comes last.
struct SortStep: Step {
  let x: Place
  let values: Place?
  let indices: Place?
  let shape: FoldShape
  let taken: Int
  let isFloat: Bool
  let isAscending: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [values, indices].compactMap { $0?.buffer } }

  func run(_ frame: Frame) {
    let x = frame.words(x)
    var line = [(key: Double, place: Int)](repeating: (0, 0), count: shape.count)
    for outer in 0..<shape.outer {
      for inner in 0..<shape.inner {
        let first = outer * shape.count * shape.inner + inner
        for index in 0..<shape.count {
          let word = x[first + index * shape.inner]
          let number =
            isFloat ? Double(Words.float(word)) : Double(Int32(bitPattern: word))
          line[index] = (isAscending ? number : -number, index)
        }
        line.sort { left, right in
          if left.key.isNaN || right.key.isNaN {
            return left.key.isNaN == right.key.isNaN
              ? left.place < right.place : right.key.isNaN
          }
          return (left.key, left.place) < (right.key, right.place)
        }
        for index in 0..<taken {
          let target = (outer * taken + index) * shape.inner + inner
          let place = line[index].place
          if let values { frame.words(values)[target] = x[first + place * shape.inner] }
          if let indices { frame.words(indices)[target] = UInt32(truncatingIfNeeded: place) }
        }
      }
    }
  }
}

/// Sums of all elements up to each one, in double or in int32 that wraps.
struct RunningSumStep: Step {
  let x: Place
  let target: Place
  let shape: FoldShape
  let isFloat: Bool
  let isHalf: Bool
  /// Without the element itself.
  let isExclusive: Bool
  let runsBack: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.words(x), frame.words(target))
    for outer in 0..<shape.outer {
      for inner in 0..<shape.inner {
        let first = outer * shape.count * shape.inner + inner
        var number = 0.0
        var integer: UInt32 = 0
        for step in 0..<shape.count {
          let index = runsBack ? shape.count - 1 - step : step
          let place = first + index * shape.inner
          let before = (number, integer)
          number += Double(Words.float(x[place]))
          integer &+= x[place]
          let sum = isExclusive ? before : (number, integer)
          target[place] =
            isFloat
            ? Words.word(Float(isHalf ? HalfFloat.rounded(sum.0) : sum.0)) : sum.1
        }
      }
    }
  }
}

/// Reverses the first elements of each sequence; how many, each batch says. A length outside of the
/// axis is held at its ends.
struct ReverseSequenceStep: Step {
  let x: Place
  let lengths: Place
  let target: Place
  let shape: [Int]
  let sequence: Int
  let batch: Int
  var reads: [Int] { [x.buffer, lengths.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, lengths, target) = (frame.words(x), frame.words(lengths), frame.words(target))
    let stride = shape[(sequence + 1)...].reduce(1, *)
    let groupStride = shape[(batch + 1)...].reduce(1, *)
    let size = shape[sequence]
    for index in 0..<shape.reduce(1, *) {
      let place = index / stride % size
      let group = index / groupStride % shape[batch]
      let length = min(max(Int(Int32(bitPattern: lengths[group])), 0), size)
      let source = place < length ? length - 1 - place : place
      target[index] = x[index + (source - place) * stride]
    }
  }
}

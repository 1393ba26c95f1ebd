/// Steps that make elements out of places and a few numbers.

/// start, start + step, start + 2 step, …
struct RangeStep: Step {
  let start: Place
  let end: Place
  let step: Place
  let target: Place
  /// How many the program says there are.
  let count: Int
  let isFloat: Bool
  let isHalf: Bool
  var reads: [Int] { [start.buffer, end.buffer, step.buffer] }
  var writes: [Int] { [target.buffer] }

  private func number(_ word: UInt32) -> Double {
    isFloat ? Double(Words.float(word)) : Double(Words.signed(word))
  }

  func run(_ frame: Frame) {
    let (first, distance) = (frame.words(start)[0], frame.words(step)[0])
    let last = frame.words(end)[0]
    let found = ((number(last) - number(first)) / number(distance)).rounded(.up)
    guard max(found, 0) == Double(count) else {
      return frame.control.fail(
        "range_1d: from \(number(first)) to \(number(last)) by \(number(distance)) there are"
          + " \(max(found, 0)) elements, but the result is declared with \(count)")
    }
    let target = frame.words(target)
    for index in 0..<count {
      if isFloat {
        let number = Double(Words.float(first)) + Double(index) * Double(Words.float(distance))
        target[index] = Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
      } else {
        target[index] = first &+ UInt32(truncatingIfNeeded: index) &* distance
      }
    }
  }
}

/// [outer][count][inner] of `off`, with `on` at the places that the [outer][inner] indices name;
/// an index outside names none.
struct OneHotStep: Step {
  let indices: Place
  let target: Place
  let outer: Int
  let count: Int
  let inner: Int
  let on: UInt32
  let off: UInt32
  var reads: [Int] { [indices.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (indices, target) = (frame.words(indices), frame.words(target))
    target.update(repeating: off, count: outer * count * inner)
    for index in 0..<(outer * inner) {
      let place = Int(Int32(bitPattern: indices[index]))
      guard place >= 0, place < count else { continue }
      target[(index / inner * count + place) * inner + index % inner] = on
    }
  }
}

/// The indices of the elements that are not 0, a row for each.
struct NonZeroStep: Step {
  let x: Place
  let target: Place
  let shape: [Int]
  let strides: [Int]
  /// How many the program says there are.
  let rows: Int
  let isFloat: Bool
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.words(x), frame.words(target))
    var found = 0
    for index in 0..<shape.reduce(1, *) {
      // Minus zero is zero.
      guard isFloat ? Words.float(x[index]) != 0 : x[index] != 0 else { continue }
      if found < rows {
        for axis in shape.indices {
          let place = index / strides[axis] % shape[axis]
          target[found * shape.count + axis] = UInt32(truncatingIfNeeded: place)
        }
      }
      found += 1
    }
    if found < rows {
      (target + found * shape.count).update(repeating: 0, count: (rows - found) * shape.count)
    }
    if found != rows {
      frame.control.fail(
        "non_zero: \(found) elements are not 0, but the result is declared with \(rows) rows")
    }
  }
}

/// Matrices with zeros outside a band around the diagonal; a negative width keeps a whole side.
struct BandStep: Step {
  let x: Place
  let target: Place
  let matrices: Int
  let rows: Int
  let columns: Int
  let lower: Int
  let upper: Int
  var reads: [Int] { [x.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.words(x), frame.words(target))
    for row in 0..<(matrices * rows) {
      let line = row % rows
      for column in 0..<columns {
        let isKept = (lower < 0 || line - column <= lower) && (upper < 0 || column - line <= upper)
        target[row * columns + column] = isKept ? x[row * columns + column] : 0
      }
    }
  }
}

/// Steps for amounts that only the run knows: they must lead to the shapes that the program declares, in which
/// memory was planned.

/// Holds numbers of the run against those that the declared shapes ask for.
struct ExpectStep: Step {
  let numbers: Place
  let expected: [Int]
  /// The op and its argument.
  let what: String
  var reads: [Int] { [numbers.buffer] }
  var writes: [Int] { [] }

  func run(_ frame: Frame) {
    let words = frame.words(numbers)
    let given = expected.indices.map { Words.signed(words[$0]) }
    guard given.elementsEqual(expected, by: { Int($0) == $1 }) else {
      return frame.control.fail(
        "\(what) is \(given.map(Int.init).text), but the declared result asks for"
          + " \(expected.text)")
    }
  }
}

/// `pad` by amounts of the run: two for each of the last axes.
struct AmountPadStep: Step {
  enum Edge: Sendable {
    case fill(UInt32)
    case reflect
    case replicate
  }
  let x: Place
  let amounts: Place
  let target: Place
  let shape: [Int]
  let result: [Int]
  let paddedAxes: Int
  let edge: Edge
  var reads: [Int] { [x.buffer, amounts.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    guard let before = before(frame) else { return }
    let (source, target) = (frame.words(x), frame.words(target))
    let strides = Shape.strides(shape)
    var place = [Int](repeating: 0, count: result.count)
    for index in 0..<result.reduce(1, *) {
      var from: Int? = 0
      for axis in result.indices {
        let inside = self.inside(place[axis] - before[axis], size: shape[axis])
        from = from.flatMap { sum in inside.map { sum + $0 * strides[axis] } }
      }
      switch (from, edge) {
      case (let from?, _): target[index] = source[from]
      case (nil, .fill(let word)): target[index] = word
      case (nil, _): target[index] = 0
      }
      var axis = result.count - 1
      while axis >= 0 {
        place[axis] += 1
        if place[axis] < result[axis] { break }
        place[axis] = 0
        axis -= 1
      }
    }
  }

  /// Where an element comes from along an axis; `nil` outside.
  private func inside(_ place: Int, size: Int) -> Int? {
    if place >= 0, place < size { return place }
    switch edge {
    case .fill: return nil
    case .replicate: return min(max(place, 0), size - 1)
    case .reflect: return place < 0 ? -place : 2 * (size - 1) - place
    }
  }

  /// What stands in front of each axis, if the amounts fit.
  private func before(_ frame: Frame) -> [Int]? {
    let words = frame.words(amounts)
    let skipped = shape.count - paddedAxes
    var before = [Int](repeating: 0, count: shape.count)
    for axis in skipped..<shape.count {
      let pair = 2 * (axis - skipped)
      let (first, last) = (Int(Words.signed(words[pair])), Int(Words.signed(words[pair + 1])))
      let most: Int
      switch edge {
      case .fill: most = .max
      case .reflect: most = max(shape[axis] - 1, 0)
      case .replicate: most = shape[axis] == 0 ? 0 : .max
      }
      guard (0...most).contains(first), (0...most).contains(last),
        first + last == result[axis] - shape[axis]
      else {
        frame.control.fail(
          "pad: the amounts of axis \(axis) are \(first), \(last), which does not make"
            + " \(result[axis]) elements of \(shape[axis])")
        return nil
      }
      before[axis] = first
    }
    return before
  }
}

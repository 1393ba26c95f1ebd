/// Steps that take or put elements at places which are known at run time only.

/// How indices are read and what happens to those outside.
struct IndexCheck: Sendable {
  let op: String
  let name: String
  /// Negative indices count from the end.
  let countsFromEnd: Bool
  /// An index outside fails the call.
  let isStrict: Bool

  init(_ context: InferenceContext, _ name: String) throws(Diagnostic) {
    op = context.op
    self.name = name
    countsFromEnd = context.opsetNumber < 17
    isStrict = try context.flag("validate_indices", default: false)
  }

  /// The place in an axis that an index names; `nil` outside.
  func place(_ word: UInt32, in size: Int, _ frame: Frame) -> Int? {
    let index = Int(Int32(bitPattern: word))
    let place = index < 0 && countsFromEnd ? index + size : index
    if place >= 0, place < size { return place }
    if isStrict {
      frame.control.fail("\(op): `\(name)` must be from 0 to \(size - 1); one is \(index)")
    }
    return nil
  }
}

/// What becomes of an element and its update. Several updates of an element follow each other.
struct ScatterUpdate: Sendable {
  let mode: String
  let isFloat: Bool
  let isHalf: Bool

  func merged(_ old: UInt32, _ new: UInt32) -> UInt32 {
    guard mode != "update" else { return new }
    guard isFloat else {
      return Words.word(integers(Words.signed(old), Words.signed(new)))
    }
    let number = numbers(Double(Words.float(old)), Double(Words.float(new)))
    return Words.word(Float(isHalf ? HalfFloat.rounded(number) : number))
  }

  private func numbers(_ old: Double, _ new: Double) -> Double {
    switch mode {
    case "sub": return old - new
    case "mul": return old * new
    case "div": return old / new
    case "max": return old.isNaN || new.isNaN ? .nan : max(old, new)
    case "min": return old.isNaN || new.isNaN ? .nan : min(old, new)
    default: return old + new
    }
  }

  private func integers(_ old: Int32, _ new: Int32) -> Int32 {
    switch mode {
    case "sub": return old &- new
    case "mul": return old &* new
    case "div": return Words.integer(Double(old) / Double(new))
    case "max": return max(old, new)
    case "min": return min(old, new)
    default: return old &+ new
    }
  }
}

/// One element for each index along an axis: taken from the data, or with `updates` put into a copy.
struct AlongAxisStep: Step {
  let data: Place
  /// [outer][taken][inner], as the updates are.
  let indices: Place
  let updates: Place?
  let target: Place
  let shape: FoldShape
  let taken: Int
  let update: ScatterUpdate?
  let check: IndexCheck
  var reads: [Int] { [data.buffer, indices.buffer] + [updates].compactMap { $0?.buffer } }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (data, indices, target) = (frame.words(data), frame.words(indices), frame.words(target))
    if update != nil { target.update(from: data, count: shape.outer * shape.count * shape.inner) }
    for index in 0..<(shape.outer * taken * shape.inner) {
      let (block, inner) = (index / shape.inner / taken, index % shape.inner)
      let found = check.place(indices[index], in: shape.count, frame)
      let place = found.map { (block * shape.count + $0) * shape.inner + inner }
      if let updates, let update {
        guard let place else { continue }
        target[place] = update.merged(target[place], frame.words(updates)[index])
      } else {
        target[index] = place.map { data[$0] } ?? 0
      }
    }
  }
}

/// Slices at places that rows of indices name: taken from the data, or put into a copy of it.
struct PlacesStep: Step {
  let data: Place
  let indices: Place
  let updates: Place?
  let target: Place
  let shape: PlaceShape
  let update: ScatterUpdate?
  let check: IndexCheck
  var reads: [Int] { [data.buffer, indices.buffer] + [updates].compactMap { $0?.buffer } }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (data, indices, target) = (frame.words(data), frame.words(indices), frame.words(target))
    let whole = shape.sizes.reduce(1, *) * shape.slice
    if update != nil { target.update(from: data, count: shape.batches * whole) }
    for row in 0..<(shape.batches * shape.places) {
      let found = place(indices + row * shape.sizes.count, frame)
      let source = found.map { row / shape.places * whole + $0 * shape.slice }
      for index in 0..<shape.slice {
        if let updates, let update {
          guard let source else { continue }
          target[source + index] = update.merged(
            target[source + index], frame.words(updates)[row * shape.slice + index])
        } else {
          target[row * shape.slice + index] = source.map { data[$0 + index] } ?? 0
        }
      }
    }
  }

  /// The number of the slice that a row of indices names.
  private func place(_ row: UnsafeMutablePointer<UInt32>, _ frame: Frame) -> Int? {
    var place = 0
    for (axis, size) in shape.sizes.enumerated() {
      guard let index = check.place(row[axis], in: size, frame) else { return nil }
      place = place * size + index
    }
    return place
  }
}

/// Slices [outer][taken][inner] put into a copy of [outer][count][inner] data.
struct ScatterSlicesStep: Step {
  let data: View
  let indices: View
  let updates: View
  let target: View
  let shape: FoldShape
  let taken: Int
  let update: ScatterUpdate
  let check: IndexCheck
  var reads: [Int] { [data.buffer, indices.buffer, updates.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (data, indices) = (frame.words(data.place), frame.words(indices.place))
    let (updates, target) = (frame.words(updates.place), frame.words(target.place))
    target.update(from: data, count: shape.outer * shape.count * shape.inner)
    for index in 0..<taken {
      guard let place = check.place(indices[index], in: shape.count, frame) else { continue }
      for block in 0..<shape.outer {
        let old = target + (block * shape.count + place) * shape.inner
        let new = updates + (block * taken + index) * shape.inner
        for inner in 0..<shape.inner { old[inner] = update.merged(old[inner], new[inner]) }
      }
    }
  }
}

/// A slice at a place that is known at run time only: taken from a value, or put into a copy of it.

/// What the text says of such a slice.
struct SliceAtRun: Sendable {
  let shape: [Int]
  /// Elements of each axis that the declared types ask for; 1 where the axis is dropped.
  let counts: [Int]
  let keepsBegin: [Bool]
  let keepsEnd: [Bool]
  let squeezed: [Bool]

  init(_ context: InferenceContext, _ shape: [Int], taken: [Int]) throws(Diagnostic) {
    let rank = shape.count
    self.shape = shape
    keepsBegin = try SliceShape.mask(context, "begin_mask", rank)
    keepsEnd = try SliceShape.mask(context, "end_mask", rank)
    squeezed = try SliceShape.mask(context, "squeeze_mask", rank)
    for name in ["begin", "end", "size", "stride"] where context.has(name) {
      let type = try context.type(name, in: Kinds.indices)
      guard type.shape == [rank] else {
        throw context.fault("`\(name)` must be \([rank].text); it is \(type.shape.text)")
      }
    }
    var left = taken[...]
    var counts: [Int] = []
    for axis in 0..<rank { counts.append(squeezed[axis] ? 1 : left.popFirst() ?? -1) }
    guard left.isEmpty, zip(counts, shape).allSatisfy({ $0 >= 0 && $0 <= $1 }) else {
      throw context.fault("no slice of `x` \(shape.text) has the declared shape \(taken.text)")
    }
    self.counts = counts
  }
}

struct RunSliceStep: Step {
  let slice: SliceAtRun
  let x: Place
  let update: Place?
  let target: Place
  /// Where the numbers of `begin`, `end`, `size` and `stride` are, as far as they are given.
  let numbers: [String: Place]
  let op: String
  var reads: [Int] {
    [x.buffer] + [update].compactMap { $0?.buffer } + numbers.values.map(\.buffer)
  }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let (x, target) = (frame.words(x), frame.words(target))
    if update != nil { target.update(from: x, count: slice.shape.reduce(1, *)) }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: slice.shape.count) { steps in
      var first = 0
      for axis in slice.shape.indices {
        guard let (begin, step) = place(axis, frame) else {
          if update == nil { target.update(repeating: 0, count: slice.counts.reduce(1, *)) }
          return
        }
        let stride = slice.shape[(axis + 1)...].reduce(1, *)
        first += begin * stride
        steps.initializeElement(at: axis, to: step * stride)
      }
      let new = update.map { frame.words($0) }
      var index = 0
      forEachOffset(slice.counts, steps) { offset in
        if let new {
          target[first + offset] = new[index]
        } else {
          target[index] = x[first + offset]
        }
        index += 1
      }
    }
  }

  /// The first element of an axis and the step; a slice other than the declared one is a fault.
  private func place(_ axis: Int, _ frame: Frame) -> (begin: Int, step: Int)? {
    func number(_ name: String) -> Int? {
      numbers[name].map { Int(Int32(bitPattern: frame.words($0)[axis])) }
    }
    let size = slice.shape[axis]
    let step = number("stride") ?? 1
    let begin = slice.keepsBegin[axis] ? nil : number("begin")
    var first: Int
    var count: Int
    if slice.squeezed[axis] || numbers["end"] == nil {
      first = begin ?? 0
      if first < 0 { first += size }
      let room = (0...size).contains(first) ? size - first : -1
      let asked = slice.squeezed[axis] ? 1 : number("size") ?? room
      count = asked == -1 ? room : asked
      if count > room { count = -1 }
    } else {
      guard step != 0 else { return fault("`stride` of axis \(axis) is 0", frame) }
      (first, count) = SliceShape.extent(
        of: size, from: begin, to: slice.keepsEnd[axis] ? nil : number("end"), step: step)
    }
    guard count == slice.counts[axis] else {
      return fault(
        "axis \(axis) is declared with \(slice.counts[axis]) elements, but the slice has"
          + " \(max(count, 0)) from \(begin ?? 0) on", frame)
    }
    return (count == 0 ? 0 : first, slice.squeezed[axis] ? 1 : step)
  }

  private func fault(_ message: String, _ frame: Frame) -> (begin: Int, step: Int)? {
    frame.control.fail("\(op): \(message)")
    return nil
  }
}

/// A small dense tensor library in doubles, the reference of the op tests. It shares no code with the
/// engine.

struct ReferenceArray {
  var shape: [Int]
  var values: [Double]

  init(_ shape: [Int], _ values: [Double]) {
    self.shape = shape
    self.values = values
  }

  init(_ shape: [Int], _ element: ([Int]) -> Double) {
    self.shape = shape
    values = Self.indices(shape).map(element)
  }

  /// All index tuples of a shape, in row-major order.
  static func indices(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { lists, size in lists.flatMap { list in (0..<size).map { list + [$0] } } }
  }

  /// Negative indices do not count from the end; a missing leading axis or one of size 1 repeats.
  subscript(index: [Int]) -> Double {
    var place = 0
    let skipped = index.count - shape.count
    for axis in shape.indices {
      place = place * shape[axis] + (shape[axis] == 1 ? 0 : index[axis + skipped])
    }
    return values[place]
  }

  func map(_ change: (Double) -> Double) -> ReferenceArray {
    ReferenceArray(shape, values.map(change))
  }

  var halves: [Double] { values.map { Double(Float16($0)) } }

  /// Folds some axes, which stay with size 1; the rest of the index in `fold`'s list varies.
  func folded(_ axes: [Int], _ fold: ([Double]) -> Double) -> ReferenceArray {
    let kept = shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
    let inner = shape.indices.map { axes.contains($0) ? shape[$0] : 1 }
    let offsets = Self.indices(inner)
    return ReferenceArray(kept) { index in
      fold(offsets.map { offset in self[zip(index, offset).map { $0 + $1 }] })
    }
  }

  func matmul(_ other: ReferenceArray, _ flipsX: Bool, _ flipsY: Bool) -> ReferenceArray {
    let x = flipsX ? flipped() : self
    let y = flipsY ? other.flipped() : other
    let (m, k, n) = (x.shape[x.shape.count - 2], x.shape.last!, y.shape.last!)
    let rank = max(x.shape.count, y.shape.count) - 2
    let batch = (0..<rank).map { axis -> Int in
      let (a, b) = (axis - rank + x.shape.count - 2, axis - rank + y.shape.count - 2)
      return max(a < 0 ? 1 : x.shape[a], b < 0 ? 1 : y.shape[b])
    }
    return ReferenceArray(batch + [m, n]) { index in
      let (batch, row, column) = (Array(index.prefix(rank)), index[rank], index[rank + 1])
      return (0..<k).reduce(0) { $0 + x[batch + [row, $1]] * y[batch + [$1, column]] }
    }
  }

  private func flipped() -> ReferenceArray {
    var order = Array(shape.indices)
    order.swapAt(order.count - 1, order.count - 2)
    return transposed(order)
  }

  func transposed(_ order: [Int]) -> ReferenceArray {
    ReferenceArray(order.map { shape[$0] }) { index in
      var source = index
      for (place, axis) in order.enumerated() { source[axis] = index[place] }
      return self[source]
    }
  }
}

/// A strided window on a buffer of 4-byte elements. It knows no op and no memory.
struct View: Sendable, Hashable {
  /// Index into the buffers of a plan.
  var buffer: Int
  /// Place of the first element, in elements.
  var offset: Int
  var shape: [Int]
  /// Elements between neighbours along each axis; 0 repeats, negative runs backwards.
  var strides: [Int]

  init(buffer: Int, offset: Int, shape: [Int], strides: [Int]) {
    self.buffer = buffer
    self.offset = offset
    self.shape = shape
    self.strides = strides
  }

  /// A dense row-major window.
  init(buffer: Int, offset: Int = 0, shape: [Int]) {
    self.init(buffer: buffer, offset: offset, shape: shape, strides: Shape.strides(shape))
  }

  var count: Int { Shape.count(shape) ?? 0 }
  var place: Place { Place(buffer: buffer, offset: offset) }

  /// The elements lie in row-major order without gaps.
  var isDense: Bool {
    var expected = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  var runsForward: Bool { strides.allSatisfy { $0 >= 0 } }

  func transposed(_ permutation: [Int]) -> View {
    View(
      buffer: buffer, offset: offset, shape: permutation.map { shape[$0] },
      strides: permutation.map { strides[$0] })
  }

  func inserting(axis: Int) -> View {
    var result = self
    result.shape.insert(1, at: axis)
    result.strides.insert(0, at: axis)
    return result
  }

  /// `count` elements of an axis from `begin` on, `step` apart.
  func sliced(axis: Int, begin: Int, step: Int = 1, count: Int) -> View {
    var result = self
    result.offset += begin * strides[axis]
    result.shape[axis] = count
    result.strides[axis] *= step
    return result
  }

  func dropping(axes: [Bool]) -> View {
    var result = self
    let kept = shape.indices.filter { !axes[$0] }
    result.shape = kept.map { shape[$0] }
    result.strides = kept.map { strides[$0] }
    return result
  }

  /// The same elements repeated to a larger shape, by numpy's broadcasting.
  func broadcast(to target: [Int]) -> View {
    var result = self
    result.shape = target
    result.strides = [Int](repeating: 0, count: target.count)
    let skipped = target.count - shape.count
    for axis in shape.indices where shape[axis] != 1 {
      result.strides[skipped + axis] = strides[axis]
    }
    return result
  }

  /// The same elements in the same order under another shape, or `nil` when that needs a copy.
  func reshaped(_ target: [Int]) -> View? {
    guard count != 0 else { return View(buffer: buffer, offset: offset, shape: target) }
    let kept = shape.indices.filter { shape[$0] != 1 }
    var result = View(
      buffer: buffer, offset: offset, shape: target,
      strides: [Int](repeating: 0, count: target.count))
    var source = 0
    var axis = 0
    while source < kept.count {
      // A run of axes on either side that covers the same number of elements.
      var sourceEnd = source + 1
      var axisEnd = axis
      var sourceCount = shape[kept[source]]
      var targetCount = 1
      while sourceCount != targetCount || axisEnd == axis {
        if targetCount < sourceCount || axisEnd == axis {
          targetCount *= target[axisEnd]
          axisEnd += 1
        } else {
          sourceCount *= shape[kept[sourceEnd]]
          sourceEnd += 1
        }
      }
      for index in source..<(sourceEnd - 1) {
        let (left, right) = (kept[index], kept[index + 1])
        guard strides[left] == strides[right] * shape[right] else { return nil }
      }
      var stride = strides[kept[sourceEnd - 1]]
      for index in (axis..<axisEnd).reversed() {
        result.strides[index] = stride
        stride *= target[index]
      }
      source = sourceEnd
      axis = axisEnd
    }
    return result
  }
}

/// The axes that several windows of one shape share, with neighbours joined where all allow it.
struct JoinedAxes: Sendable {
  private(set) var shape: [Int] = []
  /// For each window the strides of `shape`.
  private(set) var strides: [[Int]]

  init(shape source: [Int], strides windows: [[Int]]) {
    strides = windows.map { _ in [] }
    for axis in source.indices where source[axis] != 1 {
      let size = source[axis]
      let joins =
        !shape.isEmpty
        && windows.indices.allSatisfy { strides[$0].last == windows[$0][axis] * size }
      if joins {
        shape[shape.count - 1] *= size
        for index in windows.indices { strides[index][shape.count - 1] = windows[index][axis] }
      } else {
        shape.append(size)
        for index in windows.indices { strides[index].append(windows[index][axis]) }
      }
    }
    guard shape.isEmpty else { return }
    shape = [1]
    strides = windows.map { _ in [1] }
  }
}

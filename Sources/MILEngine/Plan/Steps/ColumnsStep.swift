/// Lays out the inputs of a convolution so that it becomes a matrix product.

struct ColumnsStep: Step {
  private let source: Place
  private let target: Place
  private let planes: Int
  private let planeCount: Int
  /// For each tap and place the input element it reads, or -1 for padding.
  private let offsets: [Int32]

  var reads: [Int] { [source.buffer] }
  var writes: [Int] { [target.buffer] }

  /// Source is dense [N, C, D…], target dense [N, C * taps, places].
  init(source: Place, target: Place, shape: ConvolutionShape) {
    self.source = source
    self.target = target
    planes = shape.batch * shape.inputs
    planeCount = shape.input.reduce(1, *)
    let strides = Shape.strides(shape.input)
    var offsets: [Int32] = []
    var taps: [[Int]] = [[]]
    var places: [[Int]] = [[]]
    for axis in shape.input.indices {
      taps = taps.flatMap { tap in (0..<shape.kernel[axis]).map { tap + [$0] } }
      places = places.flatMap { place in (0..<shape.output[axis]).map { place + [$0] } }
    }
    offsets.reserveCapacity(taps.count * places.count)
    for tap in taps {
      for place in places {
        var offset = 0
        for axis in shape.input.indices {
          let index =
            place[axis] * shape.strides[axis] + tap[axis] * shape.dilations[axis]
            - shape.padBefore[axis]
          guard index >= 0, index < shape.input[axis] else {
            offset = -1
            break
          }
          offset += index * strides[axis]
        }
        offsets.append(Int32(truncatingIfNeeded: offset))
      }
    }
    self.offsets = offsets
  }

  func run(_ frame: Frame) {
    var source = frame.floats(source)
    var target = frame.floats(target)
    for _ in 0..<planes {
      for (index, offset) in offsets.enumerated() {
        target[index] = offset < 0 ? 0 : source[Int(offset)]
      }
      source += planeCount
      target += offsets.count
    }
  }
}

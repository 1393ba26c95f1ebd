/// A transposed convolution: a matrix product gives what each element adds at each place of the kernel,
/// and the sums of these are the result.
import CKernels

struct SpreadStep: Step {
  let x: Place
  let weight: Place
  let bias: Place?
  let columns: Place
  let y: Place
  let rounding: ProductRounding
  private let shape: SpreadShape
  /// For each tap and each element of the input the place it adds to, or -1.
  private let offsets: [Int32]

  var reads: [Int] { [x.buffer, weight.buffer] + (bias.map { [$0.buffer] } ?? []) }
  var writes: [Int] { [columns.buffer, y.buffer] }

  /// Operands are dense; `columns` has room for the taps of a group's outputs.
  init(
    shape: SpreadShape, x: Place, weight: Place, bias: Place?, columns: Place, y: Place,
    rounding: ProductRounding
  ) {
    self.shape = shape
    (self.x, self.weight, self.bias) = (x, weight, bias)
    (self.columns, self.y, self.rounding) = (columns, y, rounding)
    let strides = Shape.strides(shape.output)
    var offsets: [Int32] = []
    offsets.reserveCapacity(shape.taps * shape.input.reduce(1, *))
    var tap = [Int](repeating: 0, count: shape.kernel.count)
    for _ in 0..<shape.taps {
      var place = [Int](repeating: 0, count: shape.input.count)
      for _ in 0..<shape.input.reduce(1, *) {
        var offset = 0
        for axis in place.indices {
          let index =
            place[axis] * shape.strides[axis] + tap[axis] * shape.dilations[axis]
            - shape.cut[axis]
          guard index >= 0, index < shape.output[axis] else {
            offset = -1
            break
          }
          offset += index * strides[axis]
        }
        offsets.append(Int32(truncatingIfNeeded: offset))
        place.advance(within: shape.input)
      }
      tap.advance(within: shape.kernel)
    }
    self.offsets = offsets
  }

  func run(_ frame: Frame) {
    let places = shape.input.reduce(1, *)
    let plane = shape.output.reduce(1, *)
    let (inner, outputs) = (shape.inputs / shape.groups, shape.outputs / shape.groups)
    let columns = frame.floats(columns)
    for batch in 0..<shape.batch {
      for group in 0..<shape.groups {
        let first = group * outputs
        product(
          frame.floats(weight) + group * inner * outputs * shape.taps,
          frame.floats(x) + (batch * shape.inputs + group * inner) * places, columns,
          rows: outputs * shape.taps, inner: inner, places: places)
        for output in 0..<outputs {
          let target = frame.floats(y) + (batch * shape.outputs + first + output) * plane
          target.update(repeating: 0, count: plane)
          let source = columns + output * offsets.count
          for (index, offset) in offsets.enumerated() where offset >= 0 {
            target[Int(offset)] += source[index]
          }
          finish(target, plane, bias: bias.map { frame.floats($0)[first + output] } ?? 0)
        }
      }
    }
  }

  /// columns[o][p] = sum of weight[k][o] x[k][p]
  private func product(
    _ weight: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    _ columns: UnsafeMutablePointer<Float>, rows: Int, inner: Int, places: Int
  ) {
    var zero = 0
    withUnsafePointer(to: &zero) { zero in
      var arguments = orion_matmul_args(
        m: rows, n: places, k: inner, batch: 1, a_offsets: zero, b_offsets: zero, c_offsets: zero,
        a: weight, a_row: 1, a_column: rows, b: x, b_row: places, b_column: 1, c: columns,
        c_row: places, rounding: ORION_ROUND_NONE, mac_limit: 0)
      orion_matmul(&arguments)
    }
  }

  private func finish(_ target: UnsafeMutablePointer<Float>, _ count: Int, bias: Float) {
    for index in 0..<count {
      var value = target[index] + bias
      if rounding.limit > 0, value.magnitude >= rounding.limit {
        value = value < 0 ? -.infinity : .infinity
      }
      target[index] = value
    }
    if rounding.rounding != ORION_ROUND_NONE { orion_round_f16(target, target, count) }
  }
}

extension [Int] {
  /// The next index tuple in row-major order.
  fileprivate mutating func advance(within sizes: [Int]) {
    for axis in indices.reversed() {
      self[axis] += 1
      if self[axis] < sizes[axis] { return }
      self[axis] = 0
    }
  }
}

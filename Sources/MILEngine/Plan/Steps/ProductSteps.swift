/// Matrix products: with packed weights, of two run-time operands, and of integers.
import CKernels

/// How a product's result is rounded.
struct ProductRounding: Sendable, Hashable {
  let rounding: orion_rounding
  let limit: Float
  /// How an engine sums up; `nil`: as the kernels do.
  var ways: Ways?

  struct Ways: Sendable, Hashable {
    let tilesAbove: Float
    let tiesAway: Bool

    var kernels: orion_sum_ways {
      orion_sum_ways(tiles_above: tilesAbove, ties_away: tiesAway)
    }
  }

  static func == (left: Self, right: Self) -> Bool {
    left.rounding == right.rounding && left.limit == right.limit && left.ways == right.ways
  }
  func hash(into hasher: inout Hasher) { hasher.combine(rounding.rawValue) }
}

/// y[o][s] = bias[o] + sum of w[o][k] x[k][s], once for each pair of places.
struct LinearStep: Step {
  let kind: orion_packed_kind
  let weights: Place
  let outputs: Int
  let inner: Int
  let columns: Int
  let bias: Place?
  let x: Place
  let xRow: Int
  let xColumn: Int
  let y: Place
  let yRow: Int
  let yColumn: Int
  let rounding: ProductRounding
  /// Columns lie in panels of 16.
  var xInPanels = false
  var yInPanels = false

  var reads: [Int] { [weights.buffer, x.buffer] + (bias.map { [$0.buffer] } ?? []) }
  var writes: [Int] { [y.buffer] }
  var label: String { "linear \(outputs) x \(columns), \(inner) terms" }
  var flops: Double { 2 * Double(outputs) * Double(columns) * Double(inner) }

  func run(_ frame: Frame) {
    var arguments = arguments(frame)
    guard var ways = rounding.ways?.kernels else { return orion_linear(&arguments) }
    orion_linear_by(&arguments, &ways)
  }

  fileprivate func arguments(_ frame: Frame) -> orion_linear_args {
    orion_linear_args(
      kind: kind, weights: frame.address(weights), outputs: outputs, inner: inner,
      columns: columns, bias: bias.map { UnsafePointer(frame.floats($0)) },
      x: frame.floats(x), x_row: xRow, x_column: xColumn,
      y: frame.floats(y), y_row: yRow, y_column: yColumn,
      rounding: rounding.rounding, mac_limit: rounding.limit,
      x_in_panels: xInPanels, y_in_panels: yInPanels)
  }
}

/// Products that do not wait for each other, as one piece of work for the threads.
struct LinearGroupStep: Step {
  let members: [LinearStep]
  let reads: [Int]
  let writes: [Int]

  init(_ members: [LinearStep]) {
    self.members = members
    reads = members.flatMap(\.reads)
    writes = members.flatMap(\.writes)
  }

  var label: String { members.map(\.label).joined(separator: "; ") }
  var flops: Double { members.reduce(0) { $0 + $1.flops } }

  func run(_ frame: Frame) {
    withUnsafeTemporaryAllocation(of: orion_linear_args.self, capacity: members.count) {
      arguments in
      for (index, member) in members.enumerated() {
        arguments.initializeElement(at: index, to: member.arguments(frame))
      }
      orion_linears(arguments.baseAddress, members.count)
    }
  }

  /// The steps with neighbouring independent products put together.
  static func grouped(_ steps: [any Step]) -> [any Step] {
    var result: [any Step] = []
    var members: [LinearStep] = []
    func flushed() -> [any Step] {
      members.count > 1 ? [LinearGroupStep(members)] : members
    }
    for step in steps {
      guard let linear = step as? LinearStep, linear.rounding.ways == nil else {
        result += flushed()
        members = []
        result.append(step)
        continue
      }
      if members.contains(where: { linear.reads.contains($0.y.buffer) }) {
        result += flushed()
        members = []
      }
      members.append(linear)
    }
    return result + flushed()
  }
}

/// c = a b for a batch of products of run-time operands.
struct MatmulStep: Step {
  let m: Int
  let n: Int
  let k: Int
  let a: Place
  let aRow: Int
  let aColumn: Int
  let b: Place
  let bRow: Int
  let bColumn: Int
  let c: Place
  let cRow: Int
  /// Element offsets of each product's operands.
  let aOffsets: [Int]
  let bOffsets: [Int]
  let cOffsets: [Int]
  let rounding: ProductRounding

  var reads: [Int] { [a.buffer, b.buffer] }
  var writes: [Int] { [c.buffer] }
  var label: String {
    let sides = "a \(aRow == 1 ? "turned" : "as is"), b \(bRow == 1 ? "turned" : "as is")"
    return "\(aOffsets.count) matmul \(m) x \(n), \(k) terms, \(sides)"
  }
  var flops: Double { 2 * Double(aOffsets.count) * Double(m) * Double(n) * Double(k) }

  func run(_ frame: Frame) {
    aOffsets.withUnsafeBufferPointer { aOffsets in
      bOffsets.withUnsafeBufferPointer { bOffsets in
        cOffsets.withUnsafeBufferPointer { cOffsets in
          var arguments = orion_matmul_args(
            m: m, n: n, k: k, batch: aOffsets.count, a_offsets: aOffsets.baseAddress,
            b_offsets: bOffsets.baseAddress, c_offsets: cOffsets.baseAddress,
            a: frame.floats(a), a_row: aRow, a_column: aColumn,
            b: frame.floats(b), b_row: bRow, b_column: bColumn,
            c: frame.floats(c), c_row: cRow,
            rounding: rounding.rounding, mac_limit: rounding.limit)
          guard var ways = rounding.ways?.kernels else { return orion_matmul(&arguments) }
          orion_matmul_by(&arguments, &ways)
        }
      }
    }
  }
}

/// The same for int32, wrapping.
struct IntegerMatmulStep: Step {
  let shape: MatmulStep

  var reads: [Int] { shape.reads }
  var writes: [Int] { shape.writes }

  func run(_ frame: Frame) {
    let (a, b, c) = (frame.words(shape.a), frame.words(shape.b), frame.words(shape.c))
    for batch in shape.aOffsets.indices {
      for row in 0..<shape.m {
        for column in 0..<shape.n {
          var sum: UInt32 = 0
          for p in 0..<shape.k {
            let left = a[shape.aOffsets[batch] + row * shape.aRow + p * shape.aColumn]
            let right = b[shape.bOffsets[batch] + p * shape.bRow + column * shape.bColumn]
            sum &+= left &* right
          }
          c[shape.cOffsets[batch] + row * shape.cRow + column] = sum
        }
      }
    }
  }
}

/// Packs the rows of a run-time matrix for a `LinearStep`.
struct PackStep: Step {
  let kind: orion_packed_kind
  let source: Place
  let outputs: Int
  let inner: Int
  let target: Place
  var reads: [Int] { [source.buffer] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    orion_pack(kind, frame.floats(source), false, outputs, inner, frame.address(target))
  }
}

import CKernels
import Testing

/// A product with packed weights over strided x and y.
private struct Linear {
  var kind = ORION_PACKED_F32
  var weightsAreHalf = false
  let outputs: Int, inner: Int, columns: Int
  let weights: [Float]
  let x: [Float]
  let bias: [Float]?
  var rounding = ORION_ROUND_NONE
  var macLimit: Float = 0
  var xInPanels = false, yInPanels = false
  // x[k * xRow + s * xColumn], y[o * yRow + s * yColumn].
  var xRow: Int, xColumn: Int, yRow: Int, yColumn: Int

  init(_ outputs: Int, _ inner: Int, _ columns: Int, bias: Bool, random: inout Random) {
    self.outputs = outputs
    self.inner = inner
    self.columns = columns
    weights = random.halves(outputs * inner)
    x = random.floats(inner * columns)
    self.bias = bias ? random.floats(outputs) : nil
    (xRow, xColumn, yRow, yColumn) = (columns, 1, columns, 1)
  }

  /// The same x, stored by columns.
  var transposed: Linear {
    var other = self
    (other.xRow, other.xColumn) = (1, inner)
    (other.yRow, other.yColumn) = (1, outputs)
    return other
  }

  func run() -> [Float] {
    let bytes = orion_packed_bytes(kind, outputs, inner)
    let packed = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    defer { packed.deallocate() }
    if weightsAreHalf {
      let halves = weights.map { Float16($0).bitPattern }
      orion_pack(kind, halves, true, outputs, inner, packed)
    } else {
      orion_pack(kind, weights, false, outputs, inner, packed)
    }
    var stored = x
    if xColumn != 1 {
      for k in 0..<inner {
        for s in 0..<columns { stored[k * xRow + s * xColumn] = x[k * columns + s] }
      }
    }
    if xInPanels { stored = panels(of: x, rows: inner, columns: columns) }
    var y = [Float](
      repeating: .nan, count: (outputs - 1) * yRow + (columns - 1) * yColumn + 1)
    withOptional(bias) { bias in
      y.withUnsafeMutableBufferPointer { y in
        stored.withUnsafeBufferPointer { x in
          var args = orion_linear_args(
            kind: kind, weights: packed, outputs: outputs, inner: inner, columns: columns,
            bias: bias, x: x.baseAddress, x_row: xRow, x_column: xColumn, y: y.baseAddress,
            y_row: yRow, y_column: yColumn, rounding: rounding, mac_limit: macLimit,
            x_in_panels: xInPanels, y_in_panels: yInPanels)
          orion_linear(&args)
        }
      }
    }
    if yInPanels { return rows(of: y, rows: outputs, columns: columns) }
    return (0..<outputs).flatMap { o in (0..<columns).map { y[o * yRow + $0 * yColumn] } }
  }

  /// One fused multiply-add per k, in order.
  func expected() -> [Float] {
    var result = [Float](repeating: 0, count: outputs * columns)
    weights.withUnsafeBufferPointer { weights in
      x.withUnsafeBufferPointer { x in
        for o in 0..<outputs {
          for s in 0..<columns {
            var sum: Float = 0
            for k in 0..<inner {
              sum.addProduct(weights[o * inner + k], x[k * columns + s])
            }
            result[o * columns + s] = finished(bias.map { sum + $0[o] } ?? sum)
          }
        }
      }
    }
    return result
  }

  private func finished(_ sum: Float) -> Float {
    guard rounding != ORION_ROUND_NONE else { return sum }
    let rounded = Float(Float16(sum))
    guard rounding == ORION_ROUND_F16_MAC, abs(rounded) >= macLimit else { return rounded }
    return rounded < 0 ? -.infinity : .infinity
  }
}

extension Kernels {
  @Suite struct LinearTests {
    @Test func sumsInOrderForEverySize() {
      var random = Random(1)
      for columns in 1...40 {
        let outputs = 1 + random.below(90)
        let inner = 1 + random.below(80)
        var linear = Linear(outputs, inner, columns, bias: columns % 2 == 0, random: &random)
        let expected = linear.expected()
        for kind in [ORION_PACKED_F32, ORION_PACKED_F16] {
          linear.kind = kind
          linear.weightsAreHalf = columns % 3 == 0
          withEachTable { table in
            let name = "\(table) \(outputs)x\(inner)x\(columns) kind \(kind.rawValue)"
            #expect(firstDifference(linear.run(), expected) == nil, "\(name)")
            #expect(firstDifference(linear.transposed.run(), expected) == nil, "\(name) by columns")
          }
        }
      }
    }

    @Test func columnsDoNotDependOnTheirNumber() {
      var random = Random(2)
      // Neighbouring columns of a whole number of panels are taken as panels, some terms at a time.
      let shapes = [(77, 1100, 250), (77, 1100, 256), (5, 8200, 128)]
      for ((outputs, inner, columns), kind) in shapes.flatMap({
        [($0, ORION_PACKED_F32), ($0, ORION_PACKED_F16)]
      }) {
        var linear = Linear(outputs, inner, columns, bias: true, random: &random)
        linear.kind = kind
        let all = linear.run()
        for column in [0, 1, 119, 120, columns - 1] {
          var one = Linear(outputs, inner, 1, bias: false, random: &random)
          one = linear.only(column, like: one)
          let expected = (0..<outputs).map { all[$0 * columns + column] }
          #expect(firstDifference(one.run(), expected) == nil, "column \(column)")
        }
      }
    }

    @Test func panelsHoldTheSame() {
      var random = Random(9)
      for ((outputs, inner, columns), kind) in [(77, 900, 64), (130, 33, 176)].flatMap({
        [($0, ORION_PACKED_F32), ($0, ORION_PACKED_F16)]
      }) {
        var linear = Linear(outputs, inner, columns, bias: true, random: &random)
        linear.kind = kind
        linear.rounding = outputs == 77 ? ORION_ROUND_F16 : ORION_ROUND_NONE
        let expected = linear.expected()
        withEachTable { table in
          for (x, y) in [(false, true), (true, false), (true, true)] {
            (linear.xInPanels, linear.yInPanels) = (x, y)
            #expect(firstDifference(linear.run(), expected) == nil, "\(table) \(x) \(y)")
          }
        }
      }
    }

    @Test func threadsDoNotChangeBits() {
      var random = Random(3)
      for columns in [1, 4, 33, 130, 192] {
        let linear = Linear(300, 700, columns, bias: false, random: &random)
        var results: [[Float]] = []
        withThreads { _ in results.append(linear.run()) }
        #expect(results.allSatisfy { firstDifference($0, results[0]) == nil }, "\(columns)")
      }
    }

    @Test func resultsKeepTheirPlaceInWiderRows() {
      var random = Random(4)
      for columns in [1, 5, 8, 31, 64] {
        var linear = Linear(35, 20, columns, bias: true, random: &random)
        let expected = linear.expected()
        linear.yRow = columns + 5
        #expect(firstDifference(linear.run(), expected) == nil)
        (linear.yRow, linear.yColumn) = (2, 80)
        #expect(firstDifference(linear.run(), expected) == nil)
      }
    }

    @Test func roundsToHalfAndOverflows() {
      var random = Random(5)
      for columns in [9, 64] {
        var linear = Linear(40, 64, columns, bias: true, random: &random)
        withEachTable { table in
          linear.rounding = ORION_ROUND_F16
          #expect(firstDifference(linear.run(), linear.expected()) == nil, "\(table)")
          linear.rounding = ORION_ROUND_F16_MAC
          linear.macLimit = 2
          let result = linear.run()
          #expect(firstDifference(result, linear.expected()) == nil, "\(table)")
          #expect(result.contains(.infinity) && result.contains(-.infinity))
        }
      }
    }

    @Test func noTermsLeaveTheBias() {
      var random = Random(6)
      let linear = Linear(20, 0, 3, bias: true, random: &random)
      #expect(linear.run() == linear.expected())
    }

    @Test func lastPanelIsFilledWithZeros() {
      #expect(orion_packed_bytes(ORION_PACKED_F32, 17, 3) == 2 * 16 * 3 * 4)
      #expect(orion_packed_bytes(ORION_PACKED_F16, 1, 3) == 128)
      var packed = [UInt16](repeating: 9, count: 64)
      orion_pack(ORION_PACKED_F16, [1, 2, 3] as [Float], false, 1, 3, &packed)
      var expected = [UInt16](repeating: 0, count: 64)
      for k in 0..<3 { expected[16 * k] = Float16(k + 1).bitPattern }
      #expect(packed == expected)
    }
  }
}

extension Linear {
  /// This product with one of its columns, in the storage of `shape`.
  fileprivate func only(_ column: Int, like shape: Linear) -> Linear {
    Linear(
      kind: kind, outputs: outputs, inner: inner, columns: 1, weights: weights,
      x: (0..<inner).map { x[$0 * columns + column] }, bias: bias, xRow: shape.xRow,
      xColumn: shape.xColumn, yRow: shape.yRow, yColumn: shape.yColumn)
  }

  private init(
    kind: orion_packed_kind, outputs: Int, inner: Int, columns: Int, weights: [Float], x: [Float],
    bias: [Float]?, xRow: Int, xColumn: Int, yRow: Int, yColumn: Int
  ) {
    self.kind = kind
    self.outputs = outputs
    self.inner = inner
    self.columns = columns
    self.weights = weights
    self.x = x
    self.bias = bias
    (self.xRow, self.xColumn, self.yRow, self.yColumn) = (xRow, xColumn, yRow, yColumn)
  }
}

import CKernels
import Testing

/// A batch of products; a and b may be stored by columns.
private struct Matmul {
  let m: Int, n: Int, k: Int, batch: Int
  let a: [Float], b: [Float]
  var aByColumns = false, bByColumns = false
  var rounding = ORION_ROUND_NONE
  var macLimit: Float = 0

  init(_ m: Int, _ n: Int, _ k: Int, batch: Int = 1, random: inout Random) {
    (self.m, self.n, self.k, self.batch) = (m, n, k, batch)
    a = random.floats(batch * m * k)
    b = random.floats(batch * k * n)
  }

  private func transposed(_ values: [Float], rows: Int, columns: Int) -> [Float] {
    var result = values
    for index in 0..<batch {
      for row in 0..<rows {
        for column in 0..<columns {
          let base = index * rows * columns
          result[base + column * rows + row] = values[base + row * columns + column]
        }
      }
    }
    return result
  }

  func run(cRow: Int? = nil) -> [Float] {
    let cRow = cRow ?? n
    let storedA = aByColumns ? transposed(a, rows: m, columns: k) : a
    let storedB = bByColumns ? transposed(b, rows: k, columns: n) : b
    var c = [Float](repeating: .nan, count: batch * m * cRow)
    let aOffsets = (0..<batch).map { $0 * m * k }
    let bOffsets = (0..<batch).map { $0 * k * n }
    let cOffsets = (0..<batch).map { $0 * m * cRow }
    aOffsets.withUnsafeBufferPointer { aOffsets in
      bOffsets.withUnsafeBufferPointer { bOffsets in
        cOffsets.withUnsafeBufferPointer { cOffsets in
          storedA.withUnsafeBufferPointer { a in
            storedB.withUnsafeBufferPointer { b in
              c.withUnsafeMutableBufferPointer { c in
                var args = orion_matmul_args(
                  m: m, n: n, k: k, batch: batch, a_offsets: aOffsets.baseAddress,
                  b_offsets: bOffsets.baseAddress, c_offsets: cOffsets.baseAddress,
                  a: a.baseAddress, a_row: aByColumns ? 1 : k, a_column: aByColumns ? m : 1,
                  b: b.baseAddress, b_row: bByColumns ? 1 : n, b_column: bByColumns ? k : 1,
                  c: c.baseAddress, c_row: cRow, rounding: rounding, mac_limit: macLimit)
                orion_matmul(&args)
              }
            }
          }
        }
      }
    }
    return (0..<batch * m).flatMap { row in (0..<n).map { c[row * cRow + $0] } }
  }

  func expected() -> [Float] {
    var result: [Float] = []
    for index in 0..<batch {
      for i in 0..<m {
        for j in 0..<n {
          var sum: Float = 0
          for p in 0..<k { sum.addProduct(a[(index * m + i) * k + p], b[(index * k + p) * n + j]) }
          result.append(rounding == ORION_ROUND_NONE ? sum : Float(Float16(sum)))
        }
      }
    }
    return result
  }
}

extension Kernels {
  @Suite struct MatmulTests {
    @Test func sumsInOrderForEverySizeAndLayout() {
      var random = Random(11)
      for round in 0..<60 {
        let m = 1 + random.below(40)
        let n = 1 + random.below(50)
        let k = random.below(40)
        var matmul = Matmul(m, n, k, batch: 1 + round % 3, random: &random)
        let expected = matmul.expected()
        withEachTable { table in
          for layout in 0..<4 {
            matmul.aByColumns = layout & 1 != 0
            matmul.bByColumns = layout & 2 != 0
            let name = "\(table) \(m)x\(n)x\(k) layout \(layout)"
            #expect(firstDifference(matmul.run(), expected) == nil, "\(name)")
          }
        }
      }
    }

    /// Whole panels and several tiles: results take the sums at once, in blocks of terms and, where the
    /// terms are many, in stretches of blocks.
    @Test(arguments: [(13, 16, 7, 1), (30, 48, 1100, 1), (25, 80, 90, 3), (14, 528, 2100, 1)])
    func sumsInOrderWherePanelsAreWhole(_ m: Int, _ n: Int, _ k: Int, _ batch: Int) {
      var random = Random(17)
      var matmul = Matmul(m, n, k, batch: batch, random: &random)
      let expected = matmul.expected()
      for layout in 0..<4 {
        matmul.aByColumns = layout & 1 != 0
        matmul.bByColumns = layout & 2 != 0
        withEachTable { table in
          let name = "\(table) \(m)x\(n)x\(k) layout \(layout)"
          #expect(firstDifference(matmul.run(cRow: n + 5), expected) == nil, "\(name)")
        }
      }
    }

    @Test func onlyOneRowOrColumn() {
      var random = Random(12)
      for (m, n) in [(1, 1), (1, 100), (100, 1), (1, 15), (200, 3)] {
        var matmul = Matmul(m, n, 300, random: &random)
        let expected = matmul.expected()
        for layout in 0..<4 {
          matmul.aByColumns = layout & 1 != 0
          matmul.bByColumns = layout & 2 != 0
          #expect(firstDifference(matmul.run(), expected) == nil, "\(m)x\(n) layout \(layout)")
        }
      }
    }

    @Test(arguments: [(140, 150, 300, 2), (140, 160, 1100, 1), (140, 160, 40, 3)])
    func threadsDoNotChangeBits(_ m: Int, _ n: Int, _ k: Int, _ batch: Int) {
      var random = Random(13)
      let matmul = Matmul(m, n, k, batch: batch, random: &random)
      var results: [[Float]] = []
      withThreads { _ in results.append(matmul.run()) }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }

    @Test func agreesWithLinearToTheBit() {
      var random = Random(14)
      let outputs = 50
      let inner = 333
      let columns = 37
      let matmul = Matmul(outputs, columns, inner, random: &random)
      let packed = UnsafeMutableRawPointer.allocate(
        byteCount: orion_packed_bytes(ORION_PACKED_F32, outputs, inner), alignment: 64)
      defer { packed.deallocate() }
      orion_pack(ORION_PACKED_F32, matmul.a, false, outputs, inner, packed)
      var y = [Float](repeating: 0, count: outputs * columns)
      y.withUnsafeMutableBufferPointer { y in
        matmul.b.withUnsafeBufferPointer { x in
          var args = orion_linear_args(
            kind: ORION_PACKED_F32, weights: packed, outputs: outputs, inner: inner,
            columns: columns, bias: nil, x: x.baseAddress, x_row: columns, x_column: 1,
            y: y.baseAddress, y_row: columns, y_column: 1, rounding: ORION_ROUND_NONE,
            mac_limit: 0, x_in_panels: false, y_in_panels: false)
          orion_linear(&args)
        }
      }
      #expect(firstDifference(y, matmul.run()) == nil)
    }

    @Test func rowsOfTheResultMayBeWider() {
      var random = Random(15)
      let matmul = Matmul(9, 21, 10, batch: 2, random: &random)
      #expect(matmul.run(cRow: 30) == matmul.expected())
    }

    @Test(arguments: [(9, 21, 10), (30, 32, 1100)])
    func roundsToHalf(_ m: Int, _ n: Int, _ k: Int) {
      var random = Random(16)
      var matmul = Matmul(m, n, k, random: &random)
      matmul.rounding = ORION_ROUND_F16
      let rounded = matmul.expected()
      withEachTable { table in
        matmul.rounding = ORION_ROUND_F16
        #expect(firstDifference(matmul.run(), rounded) == nil, "\(table)")
        matmul.rounding = ORION_ROUND_F16_MAC
        matmul.macLimit = 1
        let limited = rounded.map { abs($0) < 1 ? $0 : $0 < 0 ? -Float.infinity : .infinity }
        #expect(firstDifference(matmul.run(), limited) == nil, "\(table)")
      }
    }
  }
}

import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private let reductions: [(String, orion_reduction, @Sendable ([Double]) -> Double)] = [
  ("sum", ORION_REDUCE_SUM, { $0.reduce(0, +) }),
  ("mean", ORION_REDUCE_MEAN, { $0.reduce(0, +) / Double($0.count) }),
  ("max", ORION_REDUCE_MAX, { $0.max()! }),
  ("min", ORION_REDUCE_MIN, { $0.min()! }),
  ("sum of squares", ORION_REDUCE_SUM_SQUARE, { $0.reduce(0) { $0 + $1 * $1 } }),
  ("product", ORION_REDUCE_PROD, { $0.reduce(1, *) }),
  ("L1", ORION_REDUCE_L1, { $0.reduce(0) { $0 + abs($1) } }),
  ("L2", ORION_REDUCE_L2, { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }),
  ("log sum", ORION_REDUCE_LOG_SUM, { log($0.reduce(0, +)) }),
  ("log sum exp", ORION_REDUCE_LOG_SUM_EXP, { log($0.reduce(0) { $0 + exp($1) }) }),
]

/// Values along the middle axis of [outer][count][inner].
func row(_ x: [Float], _ outer: Int, _ column: Int, count: Int, inner: Int) -> [Double] {
  (0..<count).map { Double(x[(outer * count + $0) * inner + column]) }
}

private func reduce(
  _ reduction: orion_reduction, _ x: [Float], _ outer: Int, _ count: Int, _ inner: Int,
  _ rounding: orion_rounding
) -> [Float] {
  var y = [Float](repeating: .nan, count: outer * inner)
  orion_reduce(reduction, x, &y, outer, count, inner, rounding)
  return y
}

/// [outer, count, inner] with inner of 1, odd, and wider than a group of columns.
let rowShapes = [
  (1, 1, 1), (3, 7, 1), (2, 100, 1), (2, 9, 5), (3, 33, 8), (2, 21, 130), (1, 5, 64),
]

extension Kernels {
  @Suite struct ReduceTests {
    @Test(arguments: reductions.indices) func roundsTheDoubleOnce(index: Int) {
      let (name, reduction, exact) = reductions[index]
      var random = Random(41)
      withEachTable { table in
        for (outer, count, inner) in rowShapes {
          let x = random.halves(outer * count * inner, scale: 3)
          let expected = (0..<outer * inner).map {
            exact(row(x, $0 / inner, $0 % inner, count: count, inner: inner))
          }
          let half = reduce(reduction, x, outer, count, inner, ORION_ROUND_F16)
          let name = "\(table) \(name) [\(outer), \(count), \(inner)]"
          #expect(firstDifference(half, expected.map(roundedOnce)) == nil, "\(name)")
          let full = reduce(reduction, x, outer, count, inner, ORION_ROUND_NONE)
          let worst = zip(full, expected).map { unitsInLastPlace($0, from: $1) }.max()!
          #expect(worst < 0.51, "\(name)")
        }
      }
    }

    @Test func layoutDoesNotChangeBits() {
      var random = Random(42)
      let count = 77
      let inner = 13
      let columns = random.floats(count * inner)
      var rows = columns
      for k in 0..<count {
        for c in 0..<inner { rows[c * count + k] = columns[k * inner + c] }
      }
      for (name, reduction, _) in reductions {
        let byRow = reduce(reduction, rows, inner, count, 1, ORION_ROUND_NONE)
        let byColumn = reduce(reduction, columns, 1, count, inner, ORION_ROUND_NONE)
        #expect(firstDifference(byRow, byColumn) == nil, "\(name)")
      }
    }

    @Test func maximumPropagatesNaN() {
      var x = [Float](repeating: 1, count: 40)
      x[17] = .nan
      withEachTable { table in
        #expect(reduce(ORION_REDUCE_MAX, x, 1, 40, 1, ORION_ROUND_NONE)[0].isNaN, "\(table)")
        let columns = reduce(ORION_REDUCE_MIN, x, 1, 20, 2, ORION_ROUND_NONE)
        #expect(columns[1].isNaN && columns[0] == 1, "\(table)")
      }
    }

    @Test func logSumExpHoldsLargeAndInfiniteValues() {
      let x: [Float] = [1000, 1000, -.infinity, -.infinity, .infinity, 0]
      let y = reduce(ORION_REDUCE_LOG_SUM_EXP, x, 3, 2, 1, ORION_ROUND_NONE)
      #expect(y == [1000 + Float(log(2.0)), -.infinity, .infinity])
    }

    @Test func threadsDoNotChangeBits() {
      var random = Random(43)
      let x = random.floats(64 * 300 * 8)
      var results: [[Float]] = []
      withThreads { _ in
        results.append(reduce(ORION_REDUCE_SUM, x, 64, 300, 8, ORION_ROUND_NONE))
      }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }
  }
}

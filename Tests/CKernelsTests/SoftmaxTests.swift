import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private func softmax(
  _ x: [Float], _ outer: Int, _ count: Int, _ inner: Int, _ rounding: orion_rounding
) -> [Float] {
  var y = [Float](repeating: .nan, count: x.count)
  orion_softmax(x, &y, outer, count, inner, rounding)
  return y
}

private func exact(_ x: [Float], _ outer: Int, _ count: Int, _ inner: Int) -> [Double] {
  x.indices.map { index in
    let values = row(
      x, index / (count * inner), index % inner, count: count, inner: inner)
    let top = values.max()!
    return exp(Double(x[index]) - top) / values.reduce(0) { $0 + exp($1 - top) }
  }
}

extension Kernels {
  @Suite struct SoftmaxTests {
    @Test func roundsTheDoubleOnce() {
      var random = Random(51)
      for (outer, count, inner) in rowShapes {
        let x = random.halves(outer * count * inner, scale: 10)
        let expected = exact(x, outer, count, inner).map(roundedOnce)
        withEachTable { table in
          let y = softmax(x, outer, count, inner, ORION_ROUND_F16)
          #expect(firstDifference(y, expected) == nil, "\(table) [\(outer), \(count), \(inner)]")
        }
      }
    }

    @Test func maskedAndCloseScoresRoundOnceToo() {
      var random = Random(58)
      for count in [7, 8, 40, 300] {
        for scale in [0.01, 1, 12, 60] as [Float] {
          let outer = 24
          var x = random.halves(outer * count, scale: scale)
          for index in x.indices where random.below(3) == 0 && index % count != 0 {
            x[index] = random.below(9) == 0 ? -.infinity : -10000
          }
          let expected = exact(x, outer, count, 1).map(roundedOnce)
          withEachTable { table in
            let result = softmax(x, outer, count, 1, ORION_ROUND_F16)
            #expect(firstDifference(result, expected) == nil, "\(table) \(count) \(scale)")
          }
        }
      }
    }

    @Test func isCloseInFloats() {
      var random = Random(52)
      for (outer, count, inner) in rowShapes {
        let x = random.floats(outer * count * inner, scale: 20)
        let expected = exact(x, outer, count, inner)
        withEachTable { table in
          let y = softmax(x, outer, count, inner, ORION_ROUND_NONE)
          let worst = zip(y, expected).map { unitsInLastPlace($0, from: $1) }.max()!
          // The difference to the maximum is itself rounded: up to half a unit of 40 in the exponent.
          #expect(worst < 40, "\(table) [\(outer), \(count), \(inner)]")
        }
      }
    }

    @Test func layoutAndTablesDoNotChangeBits() {
      var random = Random(53)
      let count = 45
      let inner = 11
      let columns = random.floats(count * inner, scale: 8)
      var rows = columns
      for k in 0..<count {
        for c in 0..<inner { rows[c * count + k] = columns[k * inner + c] }
      }
      var results: [[Float]] = []
      withEachTable { _ in
        results.append(softmax(columns, 1, count, inner, ORION_ROUND_NONE))
        let turned = softmax(rows, inner, count, 1, ORION_ROUND_NONE)
        results.append(columns.indices.map { turned[$0 % inner * count + $0 / inner] })
      }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }

    @Test func largeValuesDoNotOverflow() {
      #expect(softmax([60000, 60000, -60000], 1, 3, 1, ORION_ROUND_NONE) == [0.5, 0.5, 0])
      #expect(softmax([60000, 60000, -60000], 1, 3, 1, ORION_ROUND_F16) == [0.5, 0.5, 0])
    }

    @Test func worksInPlace() {
      var random = Random(54)
      let x = random.floats(300)
      var y = x
      y.withUnsafeMutableBufferPointer {
        orion_softmax($0.baseAddress, $0.baseAddress, 3, 100, 1, ORION_ROUND_NONE)
      }
      #expect(y == softmax(x, 3, 100, 1, ORION_ROUND_NONE))
    }
  }
}

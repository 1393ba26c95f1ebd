import CKernels
import Testing

private struct Norm {
  var centred = true
  var gamma: [Float]?, beta: [Float]?
  let epsilon: Float = 1e-5

  func run(
    _ x: [Float], _ outer: Int, _ count: Int, _ inner: Int, _ rounding: orion_rounding,
    inPanels: Bool = false
  ) -> [Float] {
    var y = [Float](repeating: .nan, count: x.count)
    withOptional(gamma) { gamma in
      withOptional(beta) { beta in
        if centred {
          orion_layer_norm(x, &y, gamma, beta, epsilon, outer, count, inner, rounding, inPanels)
        } else {
          orion_rms_norm(x, &y, gamma, epsilon, outer, count, inner, rounding, inPanels)
        }
      }
    }
    return y
  }

  func exact(_ x: [Float], _ outer: Int, _ count: Int, _ inner: Int) -> [Double] {
    x.indices.map { index in
      let values = row(x, index / (count * inner), index % inner, count: count, inner: inner)
      let mean = centred ? values.reduce(0, +) / Double(count) : 0
      let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
      let k = index / inner % count
      let scaled = (Double(x[index]) - mean) / (square + Double(epsilon)).squareRoot()
      return scaled * Double(gamma?[k] ?? 1) + (centred ? Double(beta?[k] ?? 0) : 0)
    }
  }
}

extension Kernels {
  @Suite struct NormTests {
    @Test(arguments: [true, false]) func roundsTheDoubleOnce(centred: Bool) {
      var random = Random(61)
      for (outer, count, inner) in rowShapes where count > 1 {
        for given in [true, false] {
          let norm = Norm(
            centred: centred, gamma: given ? random.halves(count) : nil,
            beta: given ? random.halves(count) : nil)
          let x = random.halves(outer * count * inner, scale: 4)
          let exact = norm.exact(x, outer, count, inner)
          withEachTable { table in
            let name = "\(table) [\(outer), \(count), \(inner)]"
            let half = norm.run(x, outer, count, inner, ORION_ROUND_F16)
            let same = zip(half, exact).allSatisfy { $0 == roundedOnce($1) }
            #expect(same, "\(name)")
            let full = norm.run(x, outer, count, inner, ORION_ROUND_NONE)
            let worst = zip(full, exact).map { abs(Double($0) - $1) / max(abs($1), 1e-4) }.max()!
            #expect(worst < 0x1p-24 * 1.01, "\(name)")
          }
        }
      }
    }

    @Test(arguments: [true, false]) func panelsHoldTheSame(centred: Bool) {
      var random = Random(63)
      let (outer, count, inner) = (2, 30, 144)
      let norm = Norm(centred: centred, gamma: random.floats(count), beta: random.floats(count))
      let x = random.floats(outer * count * inner)
      withEachTable { table in
        let plain = norm.run(x, outer, count, inner, ORION_ROUND_NONE)
        let y = norm.run(x, outer, count, inner, ORION_ROUND_NONE, inPanels: true)
        for o in 0..<outer {
          let part = o * count * inner..<(o + 1) * count * inner
          let found = rows(of: Array(y[part]), rows: count, columns: inner)
          #expect(firstDifference(found, Array(plain[part])) == nil, "\(table) \(o)")
        }
      }
    }

    @Test func layoutAndThreadsDoNotChangeBits() {
      var random = Random(62)
      let count = 200
      let inner = 67
      let columns = random.floats(count * inner)
      var rows = columns
      for k in 0..<count {
        for c in 0..<inner { rows[c * count + k] = columns[k * inner + c] }
      }
      let norm = Norm(gamma: random.floats(count), beta: nil)
      var results: [[Float]] = []
      withThreads { _ in
        results.append(norm.run(columns, 1, count, inner, ORION_ROUND_NONE))
        let turned = norm.run(rows, inner, count, 1, ORION_ROUND_NONE)
        results.append(columns.indices.map { turned[$0 % inner * count + $0 / inner] })
      }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }
  }
}

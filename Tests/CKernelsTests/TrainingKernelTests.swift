// The kernels of a training step give the same bits with every table and thread count; what the bits mean is
// tested against numpy.
import CKernels
import Testing

private let shapes = [(1, 1), (3, 13), (40, 1), (9, 8192), (700, 131)]

private func bytes<T>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

/// The body's results under both tables and several thread counts are one.
private func sameEverywhere(_ name: String, _ body: () -> [UInt8]) {
  var first: [UInt8]?
  withEachTable { table in
    withThreads { threads in
      let result = body()
      #expect(first == nil || first == result, "\(name), \(table), \(threads) threads")
      first = result
    }
  }
}

/// Numbers with some that are too large for fp16, infinite, or none.
private func hardFloats(_ count: Int) -> [Float] {
  var random = Random(11)
  var values = random.floats(count, scale: 4)
  for (index, value) in [Float(70000), -70000, .infinity, .nan, 1e-7].enumerated() {
    if index * 7 < count { values[index * 7] = value }
  }
  return values
}

extension Kernels {
  @Suite struct TrainingKernelTests {
    @Test func adamw() {
      for (rows, columns) in shapes {
        var random = Random(3)
        let count = rows * columns
        let weights = random.floats(count, scale: 60000)
        let gradient = random.floats(count)
        let moment = random.floats(count)
        let square = random.floats(count).map { $0 * $0 }
        sameEverywhere("\(rows) x \(columns)") {
          var (w, m, v) = (weights, moment, square)
          var copy = [UInt16](repeating: 3, count: rows * (columns + 4))
          var lost = 0
          w.withUnsafeMutableBufferPointer { w in
            m.withUnsafeMutableBufferPointer { m in
              v.withUnsafeMutableBufferPointer { v in
                copy.withUnsafeMutableBytes { copy in
                  gradient.withUnsafeBufferPointer { g in
                    var args = orion_adamw_args(
                      learning_rate: 1e4, beta1: 0.9, beta2: 0.95, epsilon: 1e-8,
                      weight_decay: 1e-6, gradient_scale: 0.5, step: 3, rows: rows,
                      columns: columns, weights: w.baseAddress, gradient: g.baseAddress,
                      first_moment: m.baseAddress, second_moment: v.baseAddress,
                      copy: orion_matrix(
                        values: copy.baseAddress, row_bytes: 2 * (columns + 4), half: true))
                    lost = orion_adamw(&args)
                  }
                }
              }
            }
          }
          return bytes(w) + bytes(m) + bytes(v) + bytes(copy) + bytes([lost])
        }
      }
    }

    @Test func sumsAndCasts() {
      for (rows, columns) in shapes {
        var values = hardFloats(rows * columns)
        let finite = values.map { $0.isFinite ? $0 : 1 }
        sameEverywhere("\(rows) x \(columns)") {
          let sum = orion_sum_of_squares(finite, finite.count)
          var halves = [UInt16](repeating: 3, count: rows * (columns + 3))
          var total = finite
          let (lost, good) = values.withUnsafeMutableBytes { values in
            halves.withUnsafeMutableBytes { halves in
              let source = orion_matrix(
                values: values.baseAddress, row_bytes: 4 * columns, half: false)
              let target = orion_matrix(
                values: halves.baseAddress, row_bytes: 2 * (columns + 3), half: true)
              let lost = orion_convert(source, target, rows, columns)
              return (lost, orion_accumulate(target, rows, columns, 0.3, false, &total))
            }
          }
          let sums = total.map { $0.isNaN ? Float(0) : $0 }
          return bytes([sum]) + bytes(halves) + bytes(sums) + bytes([lost]) + bytes([good])
        }
      }
    }

    @Test func crossEntropy() {
      for (rows, columns) in [(1, 1), (3, 13), (600, 200), (1500, 9)] {
        var random = Random(17)
        var logits = random.floats(rows * columns, scale: 20)
        let targets = (0..<columns).map { _ in Int32(random.below(rows + 1) - 1) }
        for half in [false, true] {
          sameEverywhere("[\(rows), \(columns)], fp16 gradient: \(half)") {
            var gradient = [UInt32](repeating: 0, count: rows * columns)
            var loss = 0.0
            let counted = logits.withUnsafeMutableBytes { logits in
              gradient.withUnsafeMutableBytes { gradient in
                var part = orion_logits(
                  logits: orion_matrix(
                    values: logits.baseAddress, row_bytes: 4 * columns, half: false),
                  gradient: orion_matrix(
                    values: gradient.baseAddress, row_bytes: (half ? 2 : 4) * columns, half: half),
                  rows: rows)
                return orion_cross_entropy(&part, 1, columns, targets, 8, &loss)
              }
            }
            return bytes(gradient) + bytes([loss]) + bytes([counted])
          }
        }
      }
    }

    @Test func embedding() {
      for (channels, tokens) in [(1, 1), (13, 21), (200, 70)] {
        var random = Random(29)
        let start = random.floats(30 * channels)
        let ids = (0..<tokens).map { _ in Int32(random.below(30)) }
        sameEverywhere("[\(channels), \(tokens)]") {
          var table = start
          var columns = [UInt16](repeating: 0, count: channels * tokens)
          let good = table.withUnsafeMutableBytes { table in
            columns.withUnsafeMutableBytes { columns in
              let rows = orion_matrix(
                values: table.baseAddress, row_bytes: 4 * channels, half: false)
              let out = orion_matrix(
                values: columns.baseAddress, row_bytes: 2 * tokens, half: true)
              orion_embedding_gather(rows, channels, ids, tokens, out)
              return orion_embedding_scatter_add(out, channels, ids, tokens, 0.3, rows)
            }
          }
          return bytes(table) + bytes(columns) + bytes([good])
        }
      }
    }
  }
}

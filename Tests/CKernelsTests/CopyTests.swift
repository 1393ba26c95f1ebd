import CKernels
import Testing

private func dense(_ shape: [Int]) -> [Int] {
  var strides: [Int] = []
  var stride = 1
  for size in shape.reversed() {
    strides.insert(stride, at: 0)
    stride *= size
  }
  return strides
}

private func offsets(_ shape: [Int], _ strides: [Int]) -> [Int] {
  zip(shape, strides).reduce([0]) { offsets, axis in
    offsets.flatMap { offset in (0..<axis.0).map { offset + $0 * axis.1 } }
  }
}

/// Shape and strides of the strided side.
private let layouts: [([Int], [Int])] = [
  ([5], [1]), ([5], [3]), ([], []), ([4, 6], [6, 1]), ([4, 6], [1, 4]), ([37, 41], [1, 37]),
  ([3, 20, 40], [800, 1, 20]), ([2, 3, 4, 5], [60, 1, 15, 3]), ([1, 7, 1, 9], [63, 1, 9, 7]),
  ([50, 60, 70], [4200, 70, 1]), ([6, 1000], [1200, 1]),
  ([2, 2, 2, 2, 2, 2], [1, 2, 4, 8, 16, 32]),
  ([3, 0, 2], [2, 2, 1]), ([8, 90, 70], [7000, 1, 100]),
]

extension Kernels {
  @Suite struct CopyTests {
    @Test(arguments: layouts.indices) func gathers(index: Int) {
      let (shape, strides) = layouts[index]
      let places = offsets(shape, strides)
      let source = (0..<((places.max() ?? 0) + 1)).map { UInt32($0) }
      withThreads([1, 3]) { _ in
        var target = [UInt32](repeating: .max, count: max(places.count, 1))
        orion_gather_copy(source, &target, shape.count, shape, strides)
        #expect(Array(target.prefix(places.count)) == places.map { source[$0] }, "\(shape)")
      }
    }

    @Test(arguments: layouts.indices) func scatters(index: Int) {
      let (shape, strides) = layouts[index]
      let places = offsets(shape, strides)
      let source = (0..<max(places.count, 1)).map { UInt32($0) }
      var expected = [UInt32](repeating: .max, count: (places.max() ?? 0) + 1)
      for (index, place) in places.enumerated() { expected[place] = source[index] }
      var target = [UInt32](repeating: .max, count: expected.count)
      orion_scatter_copy(source, &target, shape.count, shape, strides)
      #expect(target == expected, "\(shape)")
    }

    @Test func zeroStridesRepeat() {
      var target = [UInt32](repeating: 0, count: 12)
      orion_gather_copy([5, 6, 7] as [UInt32], &target, 2, [4, 3], [0, 1])
      #expect(target == [5, 6, 7, 5, 6, 7, 5, 6, 7, 5, 6, 7])
      orion_gather_copy([5, 6, 7] as [UInt32], &target, 2, [3, 4], [1, 0])
      #expect(target == [5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7])
    }

    /// Rows of 2, 4 and 7 bytes, some of them many enough for the pool, and none.
    @Test func copiesRowsApart() {
      withThreads([1, 3]) { _ in
        for (rows, bytes) in [(3, 2), (2000, 4), (5, 7), (0, 4), (1, 300)] {
          let (from, to) = (bytes + 3, bytes + 5)
          let source = (0..<rows * from + 1).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
          var target = [UInt8](repeating: 0, count: 2 * rows * to + 1)
          var expected = target
          for place in 0..<2 * rows * bytes where bytes > 0 {
            let (row, byte) = (place / bytes, place % bytes)
            expected[row * to + byte] = source[row % rows * from + byte]
          }
          target.withUnsafeMutableBytes { target in
            source.withUnsafeBytes { source in
              let copies = (0..<2).map {
                orion_row_copy(
                  source: source.baseAddress, source_step: from,
                  target: target.baseAddress! + $0 * rows * to, target_step: to, rows: rows,
                  bytes: bytes, turned: 0)
              }
              orion_copy_rows(copies, copies.count)
            }
          }
          #expect(target == expected, "\(rows) rows of \(bytes) bytes")
        }
      }
    }

    /// Columns of 2 and 4 bytes become rows, some of them many enough for the pool.
    @Test(arguments: [2, 4]) func turnsRows(_ element: Int) {
      withThreads([1, 3]) { _ in
        for (rows, columns, gap) in [(5, 1, 0), (5, 1, 3), (300, 50, 1), (16, 17, 0), (0, 2, 0)] {
          let (from, to) = ((columns + gap) * element, (rows + 2) * element)
          let source = (0..<max(rows * from, 1)).map { UInt8(truncatingIfNeeded: $0 &* 11 &+ 3) }
          var target = [UInt8](repeating: 0, count: columns * to)
          var expected = target
          for place in 0..<rows * columns * element {
            let (row, rest) = (place / (columns * element), place % (columns * element))
            let (column, byte) = (rest / element, rest % element)
            expected[column * to + row * element + byte] = source[row * from + rest]
          }
          target.withUnsafeMutableBytes { target in
            source.withUnsafeBytes { source in
              var copy = orion_row_copy(
                source: source.baseAddress, source_step: from, target: target.baseAddress,
                target_step: to, rows: rows, bytes: columns * element, turned: element)
              orion_copy_rows(&copy, 1)
            }
          }
          #expect(target == expected, "\(rows) x \(columns), \(element) bytes")
        }
      }
    }
  }
}

import CKernels
import Testing

/// Products with weights of one byte: the integers are summed up as floats, then scaled once.
extension Kernels {
  @Suite struct ByteLinearTests {
    /// A product whose weights are bytes with a scale for each output.
    private struct Product {
      let outputs: Int, inner: Int, columns: Int
      let weights: [Int8]
      let scales, x: [Float]
      let bias: [Float]?

      init(_ outputs: Int, _ inner: Int, _ columns: Int, bias: Bool, random: inout Random) {
        (self.outputs, self.inner, self.columns) = (outputs, inner, columns)
        weights = (0..<outputs * inner).map { _ in Int8(truncatingIfNeeded: random.bits() >> 40) }
        scales = random.floats(outputs, scale: 0.01)
        x = random.floats(inner * columns)
        self.bias = bias ? random.floats(outputs) : nil
      }

      /// `turned`: the weights are stored [K][O].
      func run(turned: Bool = false) -> [Float] {
        let bytes = orion_packed_bytes(ORION_PACKED_I8, outputs, inner)
        let packed = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
        defer { packed.deallocate() }
        var source = weights
        if turned {
          for o in 0..<outputs {
            for k in 0..<inner { source[k * outputs + o] = weights[o * inner + k] }
          }
        }
        orion_pack_i8(
          source, turned ? 1 : inner, turned ? outputs : 1, scales, outputs, inner, packed)
        var y = [Float](repeating: .nan, count: outputs * columns)
        withOptional(bias) { bias in
          var args = orion_linear_args()
          args.kind = ORION_PACKED_I8
          args.weights = UnsafeRawPointer(packed)
          (args.outputs, args.inner, args.columns) = (outputs, inner, columns)
          args.bias = bias
          (args.x_row, args.x_column, args.y_row, args.y_column) = (columns, 1, columns, 1)
          x.withUnsafeBufferPointer { x in
            y.withUnsafeMutableBufferPointer { y in
              args.x = x.baseAddress
              args.y = y.baseAddress
              orion_linear(&args)
            }
          }
        }
        return y
      }

      func expected() -> [Float] {
        (0..<outputs * columns).map { index in
          let (o, s) = (index / columns, index % columns)
          var sum: Float = 0
          for k in 0..<inner { sum.addProduct(Float(weights[o * inner + k]), x[k * columns + s]) }
          let scaled = sum * scales[o]
          return bias.map { scaled + $0[o] } ?? scaled
        }
      }
    }

    @Test func sumsInOrderAndScalesOnce() {
      var random = Random(61)
      for columns in [1, 2, 3, 6, 7, 12, 33, 80, 125] {
        let product = Product(
          1 + random.below(90), 1 + random.below(300), columns, bias: columns % 2 == 0,
          random: &random)
        let expected = product.expected()
        withEachTable { table in
          let name = "\(table) \(product.outputs)x\(product.inner)x\(columns)"
          #expect(firstDifference(product.run(), expected) == nil, "\(name)")
          #expect(firstDifference(product.run(turned: true), expected) == nil, "\(name) turned")
        }
      }
    }

    @Test func threadsDoNotChangeBits() {
      var random = Random(62)
      let product = Product(400, 2500, 2, bias: false, random: &random)
      var results: [[Float]] = []
      withThreads { _ in results.append(product.run()) }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }

    @Test func scalesFollowThePanels() {
      #expect(orion_packed_bytes(ORION_PACKED_I8, 17, 3) == 128 + 2 * 16 * 4)
      var packed = [UInt8](repeating: 9, count: 256)
      orion_pack_i8([1, -2, 3], 3, 1, [0.5], 1, 3, &packed)
      #expect(orion_packed_bytes(ORION_PACKED_I8, 1, 3) == 128)
      var expected = [UInt8](repeating: 0, count: 128)
      (expected[0], expected[16], expected[32]) = (1, 254, 3)
      (expected[66], expected[67]) = (0, 0x3f)
      #expect(Array(packed.prefix(128)) == expected)
    }
  }
}

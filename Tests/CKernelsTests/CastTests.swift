import CKernels
import Testing

private func widened(_ bits: [UInt16]) -> [Float] {
  var values = [Float](repeating: 7, count: bits.count)
  orion_f16_to_f32(bits, &values, bits.count)
  return values
}

private func narrowed(_ values: [Float]) -> [UInt16] {
  var bits = [UInt16](repeating: 7, count: values.count)
  orion_f32_to_f16(values, &bits, values.count)
  return bits
}

/// Floats around every midpoint of neighbouring fp16 values, around the limits, and at random.
private func hardFloats() -> [Float] {
  var values: [Float] = [
    65504, 65519.996, 65520, 65536, 1e30, .infinity, .nan, 0, 0x1p-25, 0x1p-24,
  ]
  for bits in UInt16(0)..<0x7c00 {
    let low = Float(Float16(bitPattern: bits))
    let next = Float16(bitPattern: bits + 1)
    let high = next.isFinite ? Float(next) : 65536
    let middle = (low + high) / 2
    values += [low, middle, middle.nextUp, middle.nextDown]
  }
  var random = Random(5)
  values += (0..<20000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.bits())) }
  return values + values.map { -$0 }
}

extension Kernels {
  @Suite struct CastTests {
    @Test func everyHalfWidensExactly() {
      let bits = Array(UInt16.min...UInt16.max)
      withEachTable { table in
        #expect(firstDifference(widened(bits), allHalves) == nil, "\(table)")
      }
    }

    @Test func everyHalfComesBack() {
      let bits = Array(UInt16.min...UInt16.max)
      withEachTable { table in
        let back = narrowed(widened(bits))
        let wrong = bits.indices.first {
          let value = Float16(bitPattern: bits[$0])
          return value.isNaN ? !Float16(bitPattern: back[$0]).isNaN : back[$0] != bits[$0]
        }
        #expect(wrong == nil, "\(table)")
      }
    }

    @Test func floatsRoundHalfToEven() {
      let values = hardFloats()
      let expected = values.map { Float(Float16($0)) }
      withEachTable { table in
        #expect(firstDifference(widened(narrowed(values)), expected) == nil, "\(table) narrow")
        var rounded = values
        orion_round_f16(values, &rounded, values.count)
        #expect(firstDifference(rounded, expected) == nil, "\(table) round")
      }
    }

    @Test func tablesAgreeOnNaNs() {
      let values = (0..<4096).map { Float(bitPattern: 0x7f80_0001 &+ UInt32($0) &* 0x0008_0081) }
      var bits: [[UInt16]] = []
      withEachTable { _ in bits.append(narrowed(values)) }
      #expect(bits[0] == bits[1])
    }

    @Test func everyLengthIsCastWhole() {
      var random = Random(6)
      withEachTable { table in
        for count in 0..<40 {
          let values = random.halves(count)
          #expect(widened(narrowed(values)) == values, "\(table) \(count)")
        }
      }
    }

    @Test func roundsInPlace() {
      var values: [Float] = [1.0001, 2049, 2051, -65520, 1e-8]
      values.withUnsafeMutableBufferPointer {
        orion_round_f16($0.baseAddress, $0.baseAddress, $0.count)
      }
      #expect(values == [1, 2048, 2052, -.infinity, 0])
    }

    @Test func bfloatsWiden() {
      var values = [Float](repeating: 0, count: 4)
      orion_bf16_to_f32([0x3f80, 0xc040, 0x7f80, 0x0001], &values, 4)
      #expect(values == [1, -3, .infinity, Float(bitPattern: 0x10000)])
    }

    @Test func longArraysAreCastOnThePool() {
      var random = Random(7)
      let values = random.halves(200_001)
      withThreads([1, 3]) { _ in
        #expect(widened(narrowed(values)) == values)
      }
    }
  }
}

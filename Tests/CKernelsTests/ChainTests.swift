import CKernels
import Testing

/// Values of an operand in the order of the results.
private func broadcast(_ operand: Operand, to shape: [Int]) -> [Float] {
  var offsets = [0]
  for (size, stride) in zip(shape, operand.strides) {
    offsets = offsets.flatMap { offset in (0..<size).map { offset + $0 * stride } }
  }
  return offsets.map { operand.values[$0] }
}

private let sum = Instruction(op: ORION_ADD, target: 0)

extension Kernels {
  @Suite struct ChainTests {
    @Test func operandsOfEveryLayoutMeet() {
      var random = Random(31)
      let shapes = [
        [1], [7], [3, 5], [40, 33], [2, 3, 700], [2, 3, 1, 4, 5], [700, 3], [1, 1, 1],
      ]
      for shape in shapes {
        var dense: [Int] = []
        var stride = 1
        for size in shape.reversed() {
          dense.insert(stride, at: 0)
          stride *= size
        }
        for variant in 0..<4 {
          var strides = dense
          if variant == 1 { strides[shape.count - 1] = 0 }
          if variant == 2 { strides[0] = 0 }
          if variant == 3 { strides = dense.map { $0 * 3 } }
          let x = Operand(values: random.floats(stride), strides: dense)
          let y = Operand(values: random.floats(3 * stride), strides: strides)
          let result = chain(shape: shape, operands: [x, y], [sum], results: [0])[0]
          let expected = zip(broadcast(x, to: shape), broadcast(y, to: shape)).map { $0 + $1 }
          #expect(result == expected, "\(shape) variant \(variant)")
        }
      }
    }

    @Test func transposedOperandIsGathered() {
      var random = Random(32)
      let x = Operand(values: random.floats(60 * 70), strides: [1, 60])
      let y = Operand(values: random.floats(1), strides: [0, 0])
      let result = chain(shape: [60, 70], operands: [x, y], [sum], results: [0])[0]
      let values = broadcast(x, to: [60, 70])
      #expect(result == values.map { $0 + y.values[0] })
    }

    @Test func registersCarryValuesAndSeveralResultsLeave() {
      var random = Random(33)
      for count in [1, 8, 511, 512, 513, 3000] {
        let x = random.floats(count)
        let y = random.floats(count)
        let operands = [Operand(values: x, strides: [1]), Operand(values: y, strides: [1])]
        let steps = [
          Instruction(op: ORION_ADD, target: 3),
          Instruction(op: ORION_MUL, target: 4, left: 3, right: -1),
          Instruction(op: ORION_NEG, target: 3, left: 3),
          Instruction(op: ORION_SUB, target: 5, left: 4, right: 3),
        ]
        let results = chain(
          shape: [count], operands: operands, steps, results: [5, 3, 4, 5])
        let added = zip(x, y).map { $0 + $1 }
        let product = zip(added, x).map { $0 * $1 }
        #expect(results[1] == added.map { -$0 })
        #expect(results[2] == product)
        #expect(results[0] == zip(product, added).map { $0 + $1 })
        #expect(results[3] == results[0])
      }
    }

    @Test func eachInstructionRoundsByItself() {
      let x: [Float] = [1.0001]
      let y: [Float] = [1]
      let operands = [Operand(values: x, strides: [1]), Operand(values: y, strides: [1])]
      let steps = [
        Instruction(op: ORION_MOVE, target: 0, rounding: ORION_ROUND_F16),
        Instruction(op: ORION_SUB, target: 1, left: -1, right: 0),
      ]
      let results = chain(shape: [1], operands: operands, steps, results: [0, 1])
      #expect(results[0] == [1])
      #expect(results[1] == [x[0] - 1])
    }

    @Test func threadsDoNotChangeBits() {
      var random = Random(34)
      let x = random.floats(150_000, scale: 5)
      var results: [[Float]] = []
      withThreads { _ in
        results.append(apply(ORION_GELU_TANH, x, rounding: ORION_ROUND_NONE))
      }
      #expect(results.allSatisfy { firstDifference($0, results[0]) == nil })
    }

    @Test func resultMayReplaceAnOperand() {
      var random = Random(35)
      let x = random.floats(5003)
      let result = chain(
        shape: [5003], operands: [Operand(values: x, strides: [1])],
        [Instruction(op: ORION_ADD, target: 0, right: -1)], results: [0], replacing: true)
      #expect(result[0] == x.map { $0 + $0 })
    }
  }
}

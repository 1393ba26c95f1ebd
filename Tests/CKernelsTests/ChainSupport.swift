// Builds and runs element-wise chains from Swift arrays.
import CKernels

struct Operand {
  let values: [Float]
  let strides: [Int]
}

struct Instruction {
  let op: orion_chain_op
  let target: Int8
  var left: Int8 = -1
  var right: Int8 = -2
  var rounding = ORION_ROUND_NONE
  var immediate: (Float, Float) = (0, 0)
}

private typealias Axes = (Int, Int, Int, Int, Int, Int)

private func axes(_ values: [Int]) -> Axes {
  let v = values + [Int](repeating: 0, count: 6 - values.count)
  return (v[0], v[1], v[2], v[3], v[4], v[5])
}

/// Runs a chain and returns its results, one per register named. `replacing`: the only result takes the
/// place of the first operand.
func chain(
  shape: [Int], operands: [Operand], _ instructions: [Instruction], results: [Int8],
  replacing: Bool = false
) -> [[Float]] {
  let count = shape.reduce(1, *)
  let memory = operands.map { operand -> UnsafeMutablePointer<Float> in
    let pointer = UnsafeMutablePointer<Float>.allocate(capacity: operand.values.count)
    pointer.initialize(from: operand.values, count: operand.values.count)
    return pointer
  }
  let fresh = (replacing ? [] : results).map { _ in
    UnsafeMutablePointer<Float>.allocate(capacity: max(count, 1))
  }
  let targets = replacing ? [memory[0]] : fresh
  defer { for pointer in memory + fresh { pointer.deallocate() } }
  let steps = instructions.map {
    orion_chain_instruction(
      op: $0.op, target: $0.target, left: $0.left, right: $0.right, rounding: $0.rounding,
      immediate: $0.immediate)
  }
  let strides = operands.map { axes($0.strides) }
  let sources = memory.map { UnsafePointer($0) as UnsafePointer<Float>? }
  let ends = targets.map { $0 as UnsafeMutablePointer<Float>? }
  sources.withUnsafeBufferPointer { sources in
    strides.withUnsafeBufferPointer { strides in
      steps.withUnsafeBufferPointer { steps in
        ends.withUnsafeBufferPointer { ends in
          results.withUnsafeBufferPointer { registers in
            var args = orion_chain_args(
              axes: shape.count, shape: axes(shape), operand_count: operands.count,
              operands: sources.baseAddress, strides: strides.baseAddress,
              instruction_count: steps.count, instructions: steps.baseAddress,
              result_count: registers.count, results: ends.baseAddress,
              result_registers: registers.baseAddress)
            orion_chain(&args)
          }
        }
      }
    }
  }
  return targets.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
}

/// One instruction over dense operands.
func apply(
  _ op: orion_chain_op, _ x: [Float], _ y: [Float]? = nil, rounding: orion_rounding,
  immediate: (Float, Float) = (0, 0)
) -> [Float] {
  var operands = [Operand(values: x, strides: [1])]
  if let y { operands.append(Operand(values: y, strides: [1])) }
  let step = Instruction(op: op, target: 0, rounding: rounding, immediate: immediate)
  return chain(shape: [x.count], operands: operands, [step], results: [0])[0]
}

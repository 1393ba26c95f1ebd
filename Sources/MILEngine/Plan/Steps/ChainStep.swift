/// A chain of element-wise instructions in one pass over memory.
import CKernels

struct ChainStep: Step {
  /// What an instruction of the expression makes, and the dense window where it belongs.
  struct Result: Sendable {
    let instruction: Int
    let target: View
  }

  let expression: Expression
  /// The last one is what the expression makes.
  let results: [Result]
  private let axes: JoinedAxes
  /// For each operand ORION_CHAIN_AXES strides.
  private let strides: [Int]
  private let instructions: [orion_chain_instruction]
  private let registers: [Int8]

  let reads: [Int]
  let writes: [Int]
  /// Instructions in the pass, for tests.
  var length: Int { instructions.count }
  /// Values of the same place make each result, wherever that is in memory.
  var isFlat: Bool {
    let limit = Int(ORION_CHAIN_AXES)
    return axes.shape.count == 1
      && expression.operands.indices.allSatisfy { strides[$0 * limit] == 1 }
  }
  var label: String {
    let counts = "\(expression.operands.count) operands, \(results.count) results"
    return "chain of \(length), \(counts), \(axes.shape)"
  }

  /// `nil` when the expression is too large for one pass, or its windows need more axes than the
  /// kernel has.
  init?(_ expression: Expression, results: [Result]) {
    let limit = Int(ORION_CHAIN_AXES)
    let shape = expression.shape
    guard let (instructions, registers) = expression.compiled(keeping: results.map(\.instruction))
    else { return nil }
    // The result takes part so that its rows join only where the operands' do.
    axes = JoinedAxes(
      shape: shape, strides: [Shape.strides(shape)] + expression.operands.map(\.strides))
    guard axes.shape.count <= limit else { return nil }
    strides = axes.strides.dropFirst().flatMap {
      $0 + [Int](repeating: 0, count: limit - $0.count)
    }
    (self.expression, self.results) = (expression, results)
    (self.instructions, self.registers) = (instructions, registers)
    reads = expression.operands.map(\.buffer)
    writes = results.map(\.target.buffer)
  }

  init?(_ expression: Expression, target: View) {
    let last = expression.instructions.count - 1
    self.init(expression, results: [Result(instruction: last, target: target)])
  }

  func run(_ frame: Frame) {
    let operands = expression.operands
    var arguments = orion_chain_args()
    arguments.axes = axes.shape.count
    withUnsafeMutableBytes(of: &arguments.shape) { bytes in
      let shape = bytes.assumingMemoryBound(to: Int.self)
      for (index, size) in axes.shape.enumerated() { shape[index] = size }
    }
    arguments.operand_count = operands.count
    arguments.instruction_count = instructions.count
    arguments.result_count = results.count
    withUnsafeTemporaryAllocation(
      of: UnsafePointer<Float>?.self, capacity: operands.count + 1
    ) { sources in
      for (index, view) in operands.enumerated() {
        sources.initializeElement(at: index, to: UnsafePointer(frame.floats(view.place)))
      }
      arguments.operands = UnsafePointer(sources.baseAddress)
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<Float>?.self, capacity: results.count
      ) { targets in
        for (index, result) in results.enumerated() {
          targets.initializeElement(at: index, to: frame.floats(result.target.place))
        }
        arguments.results = UnsafePointer(targets.baseAddress)
        run(&arguments)
      }
    }
  }

  private func run(_ arguments: inout orion_chain_args) {
    strides.withUnsafeBytes { strides in
      arguments.strides = strides.baseAddress?.assumingMemoryBound(
        to: (Int, Int, Int, Int, Int, Int).self)
      instructions.withUnsafeBufferPointer { instructions in
        arguments.instructions = instructions.baseAddress
        registers.withUnsafeBufferPointer { registers in
          arguments.result_registers = registers.baseAddress
          orion_chain(&arguments)
        }
      }
    }
  }
}

/// A chain of element-wise instructions in one pass over memory.
import CKernels

struct ChainStep: Step {
  private let axes: JoinedAxes
  private let operands: [Place]
  /// For each operand ORION_CHAIN_AXES strides.
  private let strides: [Int]
  private let instructions: [orion_chain_instruction]
  private let target: Place

  let reads: [Int]
  let writes: [Int]
  /// Instructions in the pass, for tests.
  var length: Int { instructions.count }
  var label: String { "chain of \(length), \(operands.count) operands, \(axes.shape)" }

  /// `nil` when the operands' windows need more axes than the kernel has.
  init?(
    shape: [Int], operands: [View], instructions: [orion_chain_instruction], target: Place
  ) {
    let limit = Int(ORION_CHAIN_AXES)
    // The result takes part so that its rows join only where the operands' do.
    axes = JoinedAxes(shape: shape, strides: [Shape.strides(shape)] + operands.map(\.strides))
    guard axes.shape.count <= limit else { return nil }
    strides = axes.strides.dropFirst().flatMap {
      $0 + [Int](repeating: 0, count: limit - $0.count)
    }
    self.operands = operands.map(\.place)
    self.instructions = instructions
    self.target = target
    reads = operands.map(\.buffer)
    writes = [target.buffer]
  }

  func run(_ frame: Frame) {
    var arguments = orion_chain_args()
    arguments.axes = axes.shape.count
    withUnsafeMutableBytes(of: &arguments.shape) { bytes in
      let shape = bytes.assumingMemoryBound(to: Int.self)
      for (index, size) in axes.shape.enumerated() { shape[index] = size }
    }
    arguments.operand_count = operands.count
    arguments.instruction_count = instructions.count
    arguments.result_count = 1
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: operands.count + 1) {
      sources in
      for (index, place) in operands.enumerated() {
        sources.initializeElement(at: index, to: UnsafePointer(frame.floats(place)))
      }
      arguments.operands = UnsafePointer(sources.baseAddress)
      var result: UnsafeMutablePointer<Float>? = frame.floats(target)
      var register = instructions[instructions.count - 1].target
      strides.withUnsafeBytes { strides in
        arguments.strides = strides.baseAddress?.assumingMemoryBound(
          to: (Int, Int, Int, Int, Int, Int).self)
        instructions.withUnsafeBufferPointer { instructions in
          arguments.instructions = instructions.baseAddress
          withUnsafePointer(to: &result) { result in
            withUnsafePointer(to: &register) { register in
              arguments.results = result
              arguments.result_registers = register
              orion_chain(&arguments)
            }
          }
        }
      }
    }
  }
}

/// Any computation on operands without gaps, for ops that are no sums or products of tensors. Not made
/// for speed.
import CKernels

struct DenseStep: Step {
  /// The operands' and the results' first elements, in the order of the places.
  struct Memory {
    fileprivate let frame: Frame
    fileprivate let inputs: [Place]
    fileprivate let outputs: [Place]

    func floats(_ input: Int) -> UnsafeMutablePointer<Float> { frame.floats(inputs[input]) }
    func words(_ input: Int) -> UnsafeMutablePointer<UInt32> { frame.words(inputs[input]) }
    func result(_ output: Int) -> UnsafeMutablePointer<Float> { frame.floats(outputs[output]) }
    func resultWords(_ output: Int) -> UnsafeMutablePointer<UInt32> {
      frame.words(outputs[output])
    }
    func fail(_ message: @autoclosure () -> String) { frame.control.fail(message()) }
  }

  typealias Body = @Sendable (Memory) -> Void

  let inputs: [Place]
  let outputs: [Place]
  let body: Body

  var reads: [Int] { inputs.map(\.buffer) }
  var writes: [Int] { outputs.map(\.buffer) }

  func run(_ frame: Frame) { body(Memory(frame: frame, inputs: inputs, outputs: outputs)) }
}

/// Rounds a float result once, to what its type holds.
struct Rounder: Sendable {
  let toHalf: Bool
  func callAsFunction(_ value: Double) -> Float {
    toHalf ? Float(HalfFloat.rounded(value)) : Float(value)
  }
}

extension Lowering {
  func rounder(_ type: TensorType) -> Rounder {
    Rounder(toHalf: rounding(type) == ORION_ROUND_F16)
  }

  /// Adds a step over some arguments that defines all results of a node.
  mutating func compute(
    _ node: Node, _ arguments: [String], _ body: @escaping DenseStep.Body
  ) throws(Diagnostic) {
    let inputs = try places(arguments.map { (name) throws(Diagnostic) in try required(node, name) })
    let outputs = node.outputs.map { newView(type($0).shape) }
    for (output, view) in zip(node.outputs, outputs) { define(output, view) }
    guard outputs.contains(where: { $0.count > 0 }) else { return }
    emit(DenseStep(inputs: inputs, outputs: outputs.map(\.place), body: body))
  }
}

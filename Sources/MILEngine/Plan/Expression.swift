/// An element-wise computation that has not become a step yet: it grows until someone needs its
/// result in memory. It knows no MIL.
import CKernels

struct Expression: Sendable {
  enum Source: Sendable, Hashable {
    case operand(Int)
    case result(Int)
  }

  struct Instruction: Sendable {
    var op: orion_chain_op
    var left: Source
    var right: Source
    var rounding: orion_rounding
    var immediate: (Float, Float)
  }

  private(set) var shape: [Int]
  /// Windows of `shape`, broadcast.
  private(set) var operands: [View] = []
  /// The last one makes the result.
  private(set) var instructions: [Instruction] = []

  init(shape: [Int]) { self.shape = shape }

  mutating func add(_ view: View) -> Source {
    let view = view.broadcast(to: shape)
    if let index = operands.firstIndex(of: view) { return .operand(index) }
    operands.append(view)
    return .operand(operands.count - 1)
  }

  /// Takes over another expression of the same shape; `known`: where a window of its operands is
  /// what an instruction makes already.
  mutating func add(_ other: Expression, known: [View: Source] = [:]) -> Source {
    let sources = other.operands.map { known[$0] ?? add($0) }
    let first = instructions.count
    func moved(_ source: Source) -> Source {
      switch source {
      case .operand(let index): sources[index]
      case .result(let index): .result(first + index)
      }
    }
    for var instruction in other.instructions {
      instruction.left = moved(instruction.left)
      instruction.right = moved(instruction.right)
      instructions.append(instruction)
    }
    return .result(instructions.count - 1)
  }

  mutating func append(_ instruction: Instruction) { instructions.append(instruction) }

  /// The same computation on other windows of its operands; `nil` when one has none.
  func mapped(to shape: [Int], _ transform: (View) -> View?) -> Expression? {
    var result = self
    result.shape = shape
    for index in operands.indices {
      guard let view = transform(operands[index]), view.shape == shape else { return nil }
      result.operands[index] = view
    }
    return result
  }

  /// Limits that keep one pass worthwhile; a larger expression is cut by its maker.
  static let operandsMax = 8
  static let instructionsMax = 32

  /// The kernel's instructions, or `nil` when the expression is too large for one pass.
  func compiled() -> [orion_chain_instruction]? { compiled(keeping: [])?.instructions }

  /// The same with the registers that hold the results of some instructions at the end.
  func compiled(
    keeping kept: [Int]
  ) -> (instructions: [orion_chain_instruction], registers: [Int8])? {
    guard operands.count <= Self.operandsMax, instructions.count <= Self.instructionsMax else {
      return nil
    }
    var lastUse = [Int](repeating: -1, count: instructions.count)
    for (index, instruction) in instructions.enumerated() {
      for case .result(let used) in [instruction.left, instruction.right] { lastUse[used] = index }
    }
    for index in kept { lastUse[index] = instructions.count }
    var free = Array((0..<Int8(ORION_CHAIN_REGISTERS)).reversed())
    var register = [Int8](repeating: 0, count: instructions.count)
    func name(_ source: Source) -> Int8 {
      switch source {
      case .operand(let index): Int8(-1 - index)
      case .result(let index): register[index]
      }
    }
    var result: [orion_chain_instruction] = []
    for (index, instruction) in instructions.enumerated() {
      let (left, right) = (name(instruction.left), name(instruction.right))
      for case .result(let used) in Set([instruction.left, instruction.right])
      where lastUse[used] == index {
        free.append(register[used])
      }
      guard let target = free.popLast() else { return nil }
      register[index] = target
      result.append(
        orion_chain_instruction(
          op: instruction.op, target: target, left: left, right: right,
          rounding: instruction.rounding, immediate: instruction.immediate))
    }
    return (result, kept.map { register[$0] })
  }
}

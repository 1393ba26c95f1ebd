/// A function's inputs and outputs as its text declares them; layouts are the device's business.
struct ProgramSignature: Sendable, Hashable {
  struct Operand: Sendable, Hashable {
    let name: String
    let dtype: DType
    let shape: [Int]
  }
  /// In declared order.
  let inputs: [Operand]
  let outputs: [Operand]
}

/// What a device that takes texts as they are must be told of them by someone who can read them.
struct ProgramReader: Sendable {
  /// The declared inputs and outputs of the source's function.
  let signature: @Sendable (ProgramSource) throws(OrionError) -> ProgramSignature
  /// Why a compiler may have refused the text, given its model directory; `nil` when nothing was found.
  let faults: @Sendable (ProgramSource, String) -> String?
}

import Synchronization

/// A program that is loaded when it is used, within the device's slots.
final class SlottedProgram: LoadedProgram {
  let inputs: [Port]
  let outputs: [Port]
  private let program: AppleProgram
  private let slots: ProgramSlots
  private let isClosed = Atomic(false)

  init(_ program: AppleProgram, _ binding: ProgramBinding, _ slots: ProgramSlots) {
    self.program = program
    self.slots = slots
    inputs = binding.inputs
    outputs = binding.outputs
  }

  deinit {
    // Nobody can try again later, so it is tried twice here; the model's end gives the slot back at last.
    do { try slots.giveBack(program) } catch {
      do { try slots.giveBack(program) } catch { slots.abandon(program) }
    }
    if !isClosed.load(ordering: .acquiring) { program.discard() }
  }

  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError) {
    try checkOpen()
    let inputs = inputs.compactMap { $0 as? SurfaceStorage }
    let outputs = outputs.compactMap { $0 as? SurfaceStorage }
    guard inputs.count == self.inputs.count, outputs.count == self.outputs.count else {
      throw OrionError(.argument, "program \(program.name): a tensor is not of this device")
    }
    try slots.use(program) { () throws(OrionError) in
      try program.evaluate(inputs: inputs, outputs: outputs)
    }
  }

  private func checkOpen() throws(OrionError) {
    guard !isClosed.load(ordering: .acquiring) else {
      throw OrionError(.argument, "program \(program.name): unloaded; compile it again")
    }
  }

  var model: PrivateModel? { program.model }

  func reload() throws(OrionError) {
    try checkOpen()
    try slots.giveBack(program)
    try slots.use(program) { () throws(OrionError) in }
  }

  func unload() throws(OrionError) {
    let wasOpen = !isClosed.exchange(true, ordering: .acquiringAndReleasing)
    try slots.giveBack(program)
    if wasOpen { program.discard() }
  }
}

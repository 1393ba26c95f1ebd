import COrionANE

/// Calls on programs.
extension Caller {
  static let programRows = [
    Row(weight: 24, cost: 2) { $0.evaluateFitted() }, Row(weight: 16, cost: 1) { $0.evaluate() },
    Row(weight: 12, cost: 1) { $0.states() }, Row(weight: 6, cost: 0) { $0.control() },
    Row(weight: 3, cost: 40) { $0.compile() }, Row(weight: 1, cost: 48) { $0.patch() },
    Row(weight: 1, cost: 60) { $0.examine() },
  ]

  private mutating func evaluateFitted() {
    let fitted = draw.pick(StandingWorld.programs)
    judge(
      orion_program_evaluate(
        fitted.program, 2, fitted.tensors, 1, Array(fitted.tensors.suffix(1))), "program_evaluate")
  }

  private mutating func evaluate() {
    let inputs = (0..<draw.below(4)).map { _ in handle() }
    let outputs = (0..<draw.below(4)).map { _ in handle() }
    judge(
      orion_program_evaluate(
        program(), UInt32(inputs.count), draw.below(9) == 0 ? nil : inputs, UInt32(outputs.count),
        outputs), "program_evaluate")
  }

  private mutating func states() {
    let tensor = handle(of: StandingWorld.programs.flatMap(\.tensors))
    let program = draw.below(2) == 0 ? StandingWorld.keeper : program()
    let state = draw.below(8) == 0 ? UInt32(truncatingIfNeeded: draw.word()) : 0
    switch draw.below(4) {
    case 0: judge(orion_program_state_read(program, state, tensor), "state_read")
    case 1: judge(orion_program_state_write(program, state, tensor), "state_write")
    case 2: judge(orion_program_states_reset(program), "states_reset")
    default: judge(orion_program_evaluate(program, 1, [tensor], 1, [tensor]), "evaluate")
    }
  }

  private mutating func control() {
    let program = program()
    switch draw.below(4) {
    case 0: judge(orion_program_cancel(program), "program_cancel")
    case 1: judge(orion_program_reload(program), "program_reload")
    case 2: judge(orion_program_weights_unlock(program), "weights_unlock")
    default: judge(orion_program_weights_lock(program, nil, nil), "weights_lock")
    }
  }

  /// One of the texts with some bytes changed.
  mutating func sample(of texts: [String]) -> [UInt8] {
    var text = Array(draw.pick(texts).utf8)
    for _ in 0..<draw.below(4) {
      let start = min(Int(draw.byte()) << 8 | Int(draw.byte()), text.count)
      let end = min(start + draw.below(32), text.count)
      text.replaceSubrange(start..<end, with: draw.run())
    }
    return text
  }

  private static nonisolated(unsafe) var compiles = 0

  private mutating func compile() {
    emptyCache()
    // Programs with loops may run as long as they like, so none is run here.
    let text = sample(of: SamplePrograms.engine + [SamplePrograms.keeping])
    let function = draw.below(6) == 0 ? draw.pick(["", "other", "main\u{1}"]) : "main"
    let weights = draw.below(3) == 0 ? nil : ScratchFile.write(SamplePrograms.weights(&draw))
    var program: orion_handle = 0
    let size = draw.below(16) == 0 ? draw.pick([0, -1, 1]) : text.count
    let device = handle(of: StandingWorld.passing)
    let status = text.withUnsafeBytes { buffer in
      orion_program_compile(
        device, buffer.bindMemory(to: CChar.self).baseAddress, size, weights, function, &program)
    }
    judge(status, "program_compile")
    own(program, status, orion_program_free)
  }

  /// Compiles a program over weights of its own, changes them and reloads.
  private mutating func patch() {
    emptyCache()
    let text = Array(SamplePrograms.engine[1].utf8)
    let device = handle(of: StandingWorld.passing)
    var program: orion_handle = 0
    let status = text.withUnsafeBytes { buffer in
      orion_program_compile_patchable(
        device, buffer.bindMemory(to: CChar.self).baseAddress, text.count, StandingWorld.weights,
        "main", &program)
    }
    judge(status, "compile_patchable")
    guard status == ORION_OK else { return }
    own(program, status, orion_program_free)
    var address: UnsafeMutableRawPointer?
    var bytes = 0
    let locked = orion_program_weights_lock(program, &address, &bytes)
    judge(locked, "weights_lock")
    if locked == ORION_OK, bytes > 0 {
      address?.storeBytes(of: draw.byte(), toByteOffset: draw.below(bytes), as: UInt8.self)
    }
    judge(orion_program_weights_unlock(program), "weights_unlock")
    judge(orion_program_reload(program), "program_reload")
  }

  /// What compiles by itself.
  private mutating func examine() {
    emptyCache()
    let device = handle(of: StandingWorld.passing)
    let name = draw.pick(["reload", "reload", "", "other"])
    text("device_canary") { orion_device_canary(device, name, $0) }
  }

  private mutating func emptyCache() {
    Self.compiles += 1
    guard Self.compiles % 500 == 0 else { return }
    for name in ["cpu", "models", "sim", "identity", "locks", "private"] {
      ScratchFile.remove("\(ScratchFile.directory)/\(StandingWorld.passingCache)/\(name)")
    }
  }
}

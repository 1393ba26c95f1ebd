import COrionANE

/// The C interface: any calls in any order, with handles of any kind, nulls and odd sizes. A call ends with
/// a known status, and a failed one says why.
enum InterfaceTarget {
  static func run(_ bytes: [UInt8]) -> CInt {
    var caller = Caller(Draw(bytes))
    for _ in 0..<64 where !caller.draw.isEmpty { caller.call() }
    caller.close()
    return 0
  }
}

/// One sequence of calls and the handles it was given.
private struct Caller {
  var draw: Draw
  private var owned: [(handle: orion_handle, free: (orion_handle) -> orion_status)] = []

  /// Opened once: each call may use them, none closes them.
  private static let devices: [orion_handle] = ["cpu", "sim"].map { name in
    var device: orion_handle = 0
    var options = orion_device_options()
    options.struct_size = UInt32(MemoryLayout<orion_device_options>.size)
    options.threads = 1
    let status = ScratchFile.directory.withCString { path in
      options.cache_directory = path
      return orion_device_open(name, &options, &device)
    }
    expect(status == ORION_OK, "\(name) does not open: \(lastError)")
    return device
  }

  init(_ draw: Draw) {
    self.draw = draw
    _ = Caller.devices
  }

  mutating func call() {
    switch draw.below(16) {
    case 0: makeTensor()
    case 1, 2: compile()
    case 3: evaluate()
    case 4: free()
    case 5: lock()
    case 6: describe()
    case 7: openDevice()
    case 8: openSession()
    case 9: sequence()
    case 10: feed()
    case 11: sample()
    case 12: profile()
    case 13: fitted()
    default: wrong()
    }
  }

  mutating func close() {
    for entry in owned.reversed() { _ = entry.free(entry.handle) }
    Self.calls += 1
    if Self.calls % 2_000 == 0 {
      for name in ["cpu", "models", "sim", "identity"] {
        ScratchFile.remove("\(ScratchFile.directory)/\(name)")
      }
    }
  }

  private nonisolated(unsafe) static var calls = 0

  private static var lastError: String { orion_last_error().map { String(cString: $0) } ?? "" }

  private func judge(_ status: orion_status, _ call: String) {
    expect((0...8).contains(status), "\(call) gave status \(status)")
    expect(status == ORION_OK || !Self.lastError.isEmpty, "\(call) failed without a message")
    expect(
      status != orion_status(ORION_ERROR_INTERNAL),
      "\(call): internal error: \(Self.lastError)")
  }

  private mutating func handle() -> orion_handle {
    switch draw.below(4) {
    case 0: return draw.pick(Self.devices)
    case 1: return draw.word()
    default: return owned.isEmpty ? 0 : draw.pick(owned.map(\.handle))
    }
  }

  private mutating func device() -> orion_handle {
    draw.below(8) == 0 ? handle() : draw.pick(Self.devices)
  }

  private mutating func size() -> Int64 {
    draw.pick([1, 2, 3, 32, 64, 5, 0, -1, .max, .min, 1 << 40, Int64(draw.byte())])
  }

  private mutating func makeTensor() {
    var tensor: orion_handle = 0
    let rank = draw.below(8)
    let shape = (0..<rank).map { _ in size() }
    let dtype = Int32(draw.below(11)) - 1
    // What is asked for is given: sizes are small, or more than any machine has.
    let elements = shape.reduce(1.0) { $0 * Double($1) }
    if elements > 1e6, elements < 1e12 { return }
    let status = orion_tensor_create(
      device(), dtype, UInt32(rank), draw.below(9) == 0 ? nil : shape, &tensor)
    judge(status, "tensor_create")
    if status == ORION_OK { owned.append((tensor, orion_tensor_free)) }
  }

  private mutating func text() -> [UInt8] {
    var text = Array(draw.pick(SamplePrograms.texts).utf8)
    for _ in 0..<draw.below(4) {
      let start = min(Int(draw.byte()) << 8 | Int(draw.byte()), text.count)
      let end = min(start + draw.below(32), text.count)
      text.replaceSubrange(start..<end, with: draw.run())
    }
    return text
  }

  private mutating func compile() {
    let text = text()
    let function = draw.below(6) == 0 ? draw.pick(["", "other", "main\u{1}"]) : "main"
    let weights = draw.below(3) == 0 ? nil : ScratchFile.write(SamplePrograms.weights(&draw))
    var program: orion_handle = 0
    let size = draw.below(16) == 0 ? draw.pick([0, -1, 1]) : text.count
    let status = text.withUnsafeBytes { buffer in
      orion_program_compile(
        device(), buffer.bindMemory(to: CChar.self).baseAddress, size, weights, function, &program)
    }
    judge(status, "program_compile")
    if status == ORION_OK { owned.append((program, orion_program_free)) }
  }

  private mutating func evaluate() {
    let inputs = (0..<draw.below(4)).map { _ in handle() }
    let outputs = (0..<draw.below(4)).map { _ in handle() }
    judge(
      orion_program_evaluate(
        handle(), UInt32(inputs.count), draw.below(9) == 0 ? nil : inputs, UInt32(outputs.count),
        outputs), "program_evaluate")
  }

  /// Compiles and runs the way it is meant.
  private mutating func fitted() {
    let device = draw.pick(Self.devices)
    let text = Array(draw.pick(SamplePrograms.texts).utf8)
    let weights = ScratchFile.write(SamplePrograms.weights(&draw))
    var program: orion_handle = 0
    let compiled = text.withUnsafeBytes { buffer in
      orion_program_compile(
        device, buffer.bindMemory(to: CChar.self).baseAddress, text.count, weights, "main", &program
      )
    }
    judge(compiled, "program_compile")
    guard compiled == ORION_OK else { return }
    owned.append((program, orion_program_free))
    let shape: [Int64] = [1, 4, 1, 32]
    var tensors: [orion_handle] = []
    for _ in 0..<3 {
      var tensor: orion_handle = 0
      judge(orion_tensor_create(device, Int32(ORION_FP16), 4, shape, &tensor), "create")
      owned.append((tensor, orion_tensor_free))
      tensors.append(tensor)
    }
    judge(
      orion_program_evaluate(program, 2, tensors, 1, Array(tensors.suffix(1))), "program_evaluate")
  }

  private mutating func free() {
    guard !owned.isEmpty else { return }
    let index = draw.below(owned.count)
    let entry = draw.below(2) == 0 ? owned.remove(at: index) : owned[index]
    _ = entry.free(entry.handle)
  }

  private mutating func lock() {
    var address: UnsafeMutableRawPointer?
    var strides = [Int64](repeating: 0, count: 8)
    let tensor = handle()
    let status = orion_tensor_lock(tensor, UInt32(draw.below(7)), &address, &strides)
    judge(status, "tensor_lock")
    if status == ORION_OK, strides[0] > 0 { address?.storeBytes(of: draw.byte(), as: UInt8.self) }
    if draw.below(4) > 0 { judge(orion_tensor_unlock(tensor), "tensor_unlock") }
  }

  private mutating func describe() {
    var text: UnsafeMutablePointer<CChar>?
    let handle = handle()
    let functions: [(orion_handle, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32] =
      [
        orion_device_json, orion_device_counters, orion_device_trace, orion_program_json,
        orion_session_json,
      ]
    let function = draw.pick(functions)
    judge(draw.below(9) == 0 ? function(handle, nil) : function(handle, &text), "json")
    orion_text_free(text)
  }

  private mutating func profile() {
    var text: UnsafeMutablePointer<CChar>?
    switch draw.below(4) {
    case 0: judge(orion_profile_names(&text), "profile_names")
    case 1:
      judge(orion_file_sha256(draw.pick(["/dev/null", "/", "", "/nonexistent"]), &text), "sha")
    default:
      let name = (draw.below(2) == 0 ? Array("cpu".utf8) : draw.run()).map(CChar.init(bitPattern:))
      judge(orion_profile_json(name + [0], &text), "profile_json")
    }
    orion_text_free(text)
  }

  private mutating func openDevice() {
    var device: orion_handle = 0
    let name = draw.pick(["", "sim:", "cpu:", "sim:none", "\u{FF}", "gpu"])
    var options = orion_device_options()
    options.struct_size = UInt32(draw.byte())
    options.threads = UInt32(truncatingIfNeeded: draw.word())
    judge(orion_device_open(name, &options, &device), "device_open")
    judge(orion_device_close(draw.word() | 1 << 63), "device_close")
  }

  private mutating func openSession() {
    var session: orion_handle = 0
    let path = draw.pick(["/nonexistent", "", "/", ScratchFile.directory])
    judge(orion_session_open(device(), path, &session), "session_open")
    if draw.below(2) == 0 { judge(orion_session_close(handle()), "session_close") }
  }

  private mutating func sequence() {
    var sequence: orion_handle = 0
    let (session, other) = (handle(), handle())
    judge(orion_sequence_open(session, &sequence), "sequence_open")
    judge(orion_sequence_truncate(session, other, Int(draw.byte())), "sequence_truncate")
    judge(orion_sequence_reset(session, other), "sequence_reset")
    judge(orion_sequence_close(session, other), "sequence_close")
    judge(orion_session_cancel(session), "session_cancel")
  }

  private mutating func feed() {
    var tokens = [Int32](repeating: Int32(draw.byte()), count: 4)
    var count = 0
    var reason: UInt32 = 0
    let (session, sequence) = (handle(), handle())
    judge(orion_session_feed(session, sequence, tokens, draw.below(5), nil, 0), "session_feed")
    judge(
      orion_session_generate(session, sequence, 4, &tokens, &count, &reason), "session_generate")
  }

  private mutating func sample() {
    var sampling = orion_sampling()
    sampling.struct_size = UInt32(draw.byte())
    sampling.temperature = Float(bitPattern: UInt32(truncatingIfNeeded: draw.word()))
    judge(orion_sequence_sampling(handle(), handle(), &sampling), "sequence_sampling")
    var speculation = orion_speculation()
    speculation.struct_size = UInt32(draw.byte())
    judge(orion_sequence_speculation(handle(), handle(), &speculation), "sequence_speculation")
  }

  /// Nulls where a value must be.
  private mutating func wrong() {
    judge(orion_device_open(nil, nil, nil), "device_open")
    judge(orion_tensor_create(handle(), 1, UInt32(draw.byte()), nil, nil), "tensor_create")
    judge(orion_program_compile(handle(), nil, Int(draw.byte()), nil, nil, nil), "program_compile")
    judge(orion_program_evaluate(handle(), .max, nil, .max, nil), "program_evaluate")
    judge(orion_profile_json(nil, nil), "profile_json")
    orion_text_free(nil)
  }
}

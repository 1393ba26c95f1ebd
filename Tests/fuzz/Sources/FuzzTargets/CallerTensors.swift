import COrionANE

/// Calls on devices and tensors.
extension Caller {
  static let tensorRows = [
    Row(weight: 20, cost: 1) { $0.makeTensor() }, Row(weight: 16, cost: 0) { $0.lock() },
    Row(weight: 8, cost: 0) { $0.free() }, Row(weight: 12, cost: 0) { $0.describe() },
    Row(weight: 4, cost: 1) { $0.openWrongDevice() }, Row(weight: 1, cost: 24) { $0.openDevice() },
    Row(weight: 4, cost: 1) { $0.faults() }, Row(weight: 4, cost: 1) { $0.profile() },
    Row(weight: 6, cost: 0) { $0.wrong() },
  ]

  private mutating func makeTensor() {
    var tensor: orion_handle = 0
    let rank = draw.below(8)
    let shape = (0..<rank).map { _ in size() }
    let dtype = Int32(draw.below(11)) - 1
    // What is asked for is given: sizes are small, or more than any machine has.
    let elements = shape.reduce(1.0) { $0 * Double($1) }
    if elements > 1e4, elements < 1e12 { return }
    let status = orion_tensor_create(
      device(), dtype, UInt32(rank), draw.below(9) == 0 ? nil : shape, &tensor)
    judge(status, "tensor_create")
    own(tensor, status, orion_tensor_free)
  }

  private mutating func lock() {
    var address: UnsafeMutableRawPointer?
    var strides = [Int64](repeating: 0, count: 8)
    let tensor = handle(of: StandingWorld.programs.flatMap(\.tensors))
    let status = orion_tensor_lock(
      tensor, draw.below(4) == 0 ? UInt32(draw.below(7)) : 4, &address, &strides)
    judge(status, "tensor_lock")
    if status == ORION_OK, strides[0] > 0 { address?.storeBytes(of: draw.byte(), as: UInt8.self) }
    // What stays locked is the input's own; others need the standing ones.
    if status == ORION_OK || draw.below(4) > 0 { judge(orion_tensor_unlock(tensor), "unlock") }
  }

  private mutating func describe() {
    let handle = handle()
    let calls: [(orion_handle, Text?) -> orion_status] = [
      orion_device_json, orion_device_counters, orion_device_trace, orion_program_json,
      orion_session_json,
    ]
    let call = draw.pick(calls)
    text("json") { call(handle, $0) }
  }

  private mutating func openWrongDevice() {
    var device: orion_handle = 0
    let name = draw.pick(["", "sim:", "cpu:", "sim:none", "\u{FF}", "gpu", "cpu+fp33", "ane+fp32"])
    var options = orion_device_options()
    options.struct_size = UInt32(draw.byte())
    options.threads = UInt32(truncatingIfNeeded: draw.word())
    options.route = UInt32(draw.byte())
    judge(orion_device_open(name, &options, &device), "device_open")
    judge(orion_device_close(stranger()), "device_close")
  }

  private mutating func openDevice() {
    var device: orion_handle = 0
    let name = draw.pick(["cpu+fp32", "cpu:m1-macos15", "sim:paper", "sim:m1-macos15+fp32"])
    var options = orion_device_options()
    options.struct_size = UInt32(MemoryLayout<orion_device_options>.size)
    options.threads = 1
    options.trace = UInt32(draw.below(2))
    options.fail_call = UInt64(draw.below(64))
    options.route = UInt32(draw.below(3))
    let status = "\(ScratchFile.directory)/\(StandingWorld.passingCache)".withCString { path in
      options.cache_directory = path
      return orion_device_open(name, &options, &device)
    }
    judge(status, "device_open")
    own(device, status, orion_device_close)
  }

  private mutating func faults() {
    let plan = draw.pick([
      "load@1=error:6/0x50004", "eval@1+=delay:0.5", "compile@1=disconnect", "eval@2=disconnect",
      "compile@1=full", "file@3=full", "load@1=stale", "load@1=flip", "compile@1=refuse",
      String(decoding: draw.run(), as: UTF8.self),
    ])
    judge(orion_device_faults(device(), plan), "device_faults")
  }

  private mutating func profile() {
    switch draw.below(4) {
    case 0: text("profile_names") { orion_profile_names($0) }
    case 1:
      let path = path()
      text("file_sha256") { orion_file_sha256(path, $0) }
    case 2:
      let path = draw.pick(["/nonexistent", "", "/dev/null"])
      text("cache_json") { orion_cache_json(path, $0) }
    default:
      let name = (draw.below(2) == 0 ? Array("cpu".utf8) : draw.run()).map(CChar.init(bitPattern:))
      text("profile_json") { orion_profile_json(name + [0], $0) }
    }
  }

  /// Nulls where a value must be.
  private mutating func wrong() {
    let handle = handle()
    switch draw.below(8) {
    case 0: judge(orion_device_open(nil, nil, nil), "device_open")
    case 1: judge(orion_tensor_create(handle, 1, UInt32(draw.byte()), nil, nil), "tensor_create")
    case 2:
      judge(orion_program_compile(handle, nil, Int(draw.byte()), nil, nil, nil), "program_compile")
    case 3: judge(orion_program_evaluate(handle, .max, nil, .max, nil), "program_evaluate")
    case 4: judge(orion_profile_json(nil, nil), "profile_json")
    case 5: judge(orion_session_open(handle, nil, nil), "session_open")
    case 6:
      judge(orion_session_generate_batch(handle, .max, nil, .max, nil, nil, nil), "generate_batch")
    default: judge(orion_doctor_json(nil, nil, UInt32(draw.byte()), nil), "doctor_json")
    }
    orion_text_free(nil)
  }
}

import COrionANE

/// What the calls of every input may use and none may close: devices, loaded programs with fitting tensors,
/// sessions. Made once, because compiling costs a thousand times what a call does.
enum StandingWorld {
  /// Devices that keep what they compile.
  static let devices: [orion_handle] = ["cpu", "sim"].map { open($0, cache: "standing") }

  /// Devices for programs that come and go; their caches are emptied now and then.
  static let passing: [orion_handle] = ["cpu", "sim"].map { open($0, cache: passingCache) }
  static let passingCache = "passing"

  /// Three tensors of [1, 4, 1, 32], two inputs and an output.
  struct Fitted {
    let program: orion_handle
    let tensors: [orion_handle]
  }

  static let programs: [Fitted] = devices.flatMap { device in
    SamplePrograms.engine.map { text in
      Fitted(
        program: compile(Array(text.utf8), on: device, weights: weights),
        tensors: (0..<3).map { _ in tensor(on: device) })
    }
  }

  /// A program of the host with a state of [1, 4, 1, 32].
  static let keeper = compile(
    Array(SamplePrograms.keeping.utf8), on: devices[0], weights: nil)

  static let sessions: [orion_handle] = zip(devices, [TinyBundle.cpu, .engine]).map {
    device, bundle in
    var session: orion_handle = 0
    let path = bundle.write(to: "bundle-\(bundle.profile)")
    let status = orion_session_open(device, path, &session)
    expect(status == ORION_OK, "the tiny bundle does not open: \(lastError)")
    return session
  }

  /// Everything, opened.
  static let all: [orion_handle] =
    devices + passing + programs.flatMap { [$0.program] + $0.tensors } + [keeper] + sessions

  static let weights: String = {
    var still = Draw([])
    return ScratchFile.write(SamplePrograms.weights(&still), to: "weights.bin")
  }()

  private static func open(_ name: String, cache: String) -> orion_handle {
    var device: orion_handle = 0
    var options = orion_device_options()
    options.struct_size = UInt32(MemoryLayout<orion_device_options>.size)
    options.threads = 1
    let status = "\(ScratchFile.directory)/\(cache)".withCString { path in
      options.cache_directory = path
      return orion_device_open(name, &options, &device)
    }
    expect(status == ORION_OK, "\(name) does not open: \(lastError)")
    return device
  }

  private static func compile(_ text: [UInt8], on device: orion_handle, weights: String?)
    -> orion_handle
  {
    var program: orion_handle = 0
    let status = text.withUnsafeBytes { buffer in
      orion_program_compile(
        device, buffer.bindMemory(to: CChar.self).baseAddress, text.count, weights, "main",
        &program)
    }
    expect(status == ORION_OK, "a sample does not compile: \(lastError)")
    return program
  }

  private static func tensor(on device: orion_handle) -> orion_handle {
    var tensor: orion_handle = 0
    let status = orion_tensor_create(device, Int32(ORION_FP16), 4, [1, 4, 1, 32], &tensor)
    expect(status == ORION_OK, "a tensor cannot be made: \(lastError)")
    return tensor
  }

  static var lastError: String { orion_last_error().map { String(cString: $0) } ?? "" }
}

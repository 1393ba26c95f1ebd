import ANEProfiles
import Synchronization

/// The device behind the private framework's calls, whoever answers them. It reads no program text itself.
final class AppleBackend: Backend {
  let profile: Profile
  let route = "client"
  let client: ClientRoute
  let slots: ProgramSlots
  let reader: ProgramReader
  private let log: CallLog
  private let caches: CacheDirectory
  private let identity: FileIdentity
  /// The profile or the OS build, for keys.
  private let target: String
  private let counted = Mutex(Counters())

  init(
    _ library: ForeignLibrary, profile: Profile, target: String, caches: CacheDirectory,
    reader: ProgramReader, options: DeviceOptions
  ) throws(OrionError) {
    self.profile = profile
    self.target = target
    self.caches = caches
    self.reader = reader
    identity = caches.identity
    log = CallLog(trace: options.trace, failCall: options.failCall)
    slots = ProgramSlots(limit: profile.limits.loadedProgramsMax)
    client = try ClientRoute(library, log: log)
  }

  func count(_ change: (inout Counters) -> Void) { counted.withLock { change(&$0) } }

  var counters: Counters {
    var now = counted.withLock { $0 }
    now.loadedPrograms = slots.loadedCount
    now.compiles = client.foreign.library.compiles() ?? now.compiles
    now.virtualSeconds = client.foreign.library.virtualSeconds()
    return now
  }

  func takeTrace() -> String { log.take() }

  /// Calls that can fail, so far.
  var callCount: UInt64 { log.callCount }

  func rowBytes(forRowOf bytes: Int) -> Int {
    let alignment = max(profile.limits.rowAlignmentBytes, 1)
    return (bytes + alignment - 1) / alignment * alignment
  }

  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try SurfaceStorage(layout, client.messenger)
  }

  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    let signature = try reader.signature(source)
    var weights: String?
    if let path = source.weights { weights = try identity.hex(of: path, as: "weight file") }
    let key = ProgramKey.make(
      text: source.text, weights: weights, target: target, route: route)
    let directory = try ModelDirectory(
      key, source, weightsHash: weights, caches: caches, identity: identity)
    let program = AppleProgram(
      source, signature, directory: directory.path, key: key, backend: self)
    let binding = try slots.use(program) { () throws(OrionError) in try program.binding() }
    return SlottedProgram(program, binding, slots)
  }
}

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
    // Nobody can try again later, so it is tried twice here.
    do { try slots.giveBack(program) } catch { try? slots.giveBack(program) }
  }

  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError) {
    guard !isClosed.load(ordering: .acquiring) else {
      throw OrionError(.argument, "program \(program.name): unloaded; compile it again")
    }
    let inputs = inputs.compactMap { $0 as? SurfaceStorage }
    let outputs = outputs.compactMap { $0 as? SurfaceStorage }
    guard inputs.count == self.inputs.count, outputs.count == self.outputs.count else {
      throw OrionError(.argument, "program \(program.name): a tensor is not of this device")
    }
    try slots.use(program) { () throws(OrionError) in
      try program.evaluate(inputs: inputs, outputs: outputs)
    }
  }

  func unload() throws(OrionError) {
    isClosed.store(true, ordering: .releasing)
    try slots.giveBack(program)
  }
}

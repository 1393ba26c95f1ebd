import ANEProfiles
import Synchronization

/// The device behind the private framework's calls, whoever answers them. It reads no program text itself.
final class AppleBackend: Backend {
  let profile: Profile
  var route: String { way.name }
  let way: any FrameworkRoute
  let slots: ProgramSlots
  let reader: ProgramReader
  let fitting: SurfaceFitting
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
    fitting = SurfaceFitting(profile.conduct)
    slots = ProgramSlots(limit: profile.limits.loadedProgramsMax)
    way =
      switch options.route ?? .client {
      case .client: try ClientRoute(library, log: log)
      case .memory: try MemoryRoute(library, log: log)
      }
  }

  func count(_ change: (inout Counters) -> Void) { counted.withLock { change(&$0) } }

  var counters: Counters {
    var now = counted.withLock { $0 }
    now.loadedPrograms = slots.loadedCount
    now.compiles = way.foreign.library.compiles() ?? now.compiles
    now.virtualSeconds = way.foreign.library.virtualSeconds()
    return now
  }

  func follow(faults plan: String) throws(OrionError) {
    guard let follow = way.foreign.library.follow else {
      throw OrionError(.argument, "fault plan: only simulated devices follow one; open sim")
    }
    if let fault = follow(plan) { throw OrionError(.argument, fault) }
  }

  func takeTrace() -> String { log.take() }

  /// Calls that can fail, so far.
  var callCount: UInt64 { log.callCount }

  func rowBytes(forRowOf bytes: Int) -> Int {
    let alignment = max(profile.limits.rowAlignmentBytes, 1)
    return (bytes + alignment - 1) / alignment * alignment
  }

  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try SurfaceStorage(layout, way.messenger)
  }

  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    let signature = try reader.signature(source)
    let weights = try WeightLinks(source).hash(identity)
    let key = ProgramKey.make(
      text: source.text, weights: weights, target: target, route: route)
    var model: PrivateModel?
    let directory: String
    if source.isPatchable {
      let own = try PrivateModel(source, caches: caches)
      (model, directory) = (own, own.path)
    } else {
      directory = try ModelDirectory(
        key, source, weightsHash: weights, caches: caches, identity: identity
      ).path
    }
    let place = ModelPlace(
      directory: directory, key: key, text: source.text, weightsHash: weights,
      isPrivate: source.isPatchable)
    let program = AppleProgram(source, signature, place, model: model, backend: self)
    let binding = try slots.use(program) { () throws(OrionError) in try program.binding() }
    return SlottedProgram(program, binding, slots)
  }
}

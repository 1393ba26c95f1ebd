/// The daemon: compiles models into its cache, loads and unloads them within the device's limits,
/// and sends requests to the engine. It answers the client's calls; it knows no Objective-C.

import ANEProfiles
import MILEngine
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program that holds one of the device's places.
final class LoadedProgram: Sendable {
  let handle: UInt64
  /// Requests that were handed in and are not done.
  let waiting = Atomic(0)
  let procedures: [ExecutableFunction]
  let layout: ProgramLayout
  /// What it takes of the device's address space.
  let bytes: Int
  /// What a request takes, by procedure.
  let seconds: [Double]

  init(handle: UInt64, procedures: [ExecutableFunction], profile: Profile) {
    self.handle = handle
    self.procedures = procedures
    layout = ProgramLayout(procedures, rowAlignment: profile.limits.rowAlignmentBytes)
    seconds = procedures.map { $0.work.time(on: profile.cost).seconds }
    bytes = procedures.reduce(0) { $0 + $1.work.weightBytes }
  }
}

/// Counts since the world was made.
public struct DaemonCounters: Sendable, Equatable {
  public var compiles = 0
  public var loads = 0
  public var unloads = 0
  public var evals = 0
  public var loadedPrograms = 0
  /// Compiles that a load had to do itself; they count as compiles too.
  public var compilesInsideLoad = 0
}

final class Daemon: Sendable {
  struct State {
    var counters = DaemonCounters()
    var loaded: [UInt64: LoadedProgram] = [:]
    var nextHandle: UInt64 = 1
    var loadedBytes = 0
    var seconds = 0.0
    /// When the last compile failed; the service restarts then.
    var lastFailure: Double?
    /// When the cache was last looked after, on the virtual clock.
    var maintained = 0.0
  }

  let profile: Profile
  let cache: ModelCache
  let faults = FaultDesk()
  /// Bytes of the world's living surfaces.
  let surfaceBytes: Tally
  let state = Mutex(State())

  init(profile: Profile, cache: ModelCache, surfaceBytes: Tally) {
    self.profile = profile
    self.cache = cache
    self.surfaceBytes = surfaceBytes
    state.withLock { $0.seconds = profile.cost.startSeconds }
    cache.maintainDaily()
  }

  var counters: DaemonCounters { state.withLock { $0.counters } }

  /// The virtual clock.
  var seconds: Double { state.withLock { $0.seconds } }

  // MARK: Compiling

  func compile(_ source: ModelSource) throws(Failure) {
    maintain()
    let effects = try meet(.compile, source.method)
    try beginCompile()
    do throws(Failure) {
      guard !effects.contains(.refuse) else { throw .compile("()", diagnostics: "by fault plan") }
      let verdict: @Sendable (String) -> Int32 = { [faults] _ in
        effects.contains(.full) ? ENOSPC : faults.fileVerdict()
      }
      try FileWatch.judging(by: verdict) { () throws(Failure) in try place(source) }
      if effects.contains(.flip) { cache.flip(source) }
    } catch {
      state.withLock { $0.lastFailure = $0.seconds }
      throw error
    }
  }

  /// Counts the compile, where the process has one left, and waits for the service.
  private func beginCompile() throws(Failure) {
    let (cost, limit) = (profile.cost, profile.limits.compilesMax)
    let isSpent = state.withLock { state in
      if let failed = state.lastFailure {
        state.seconds = max(state.seconds, failed + cost.failurePauseSeconds)
        state.lastFailure = nil
      }
      state.seconds += cost.compileSeconds
      guard state.counters.compiles < limit else { return true }
      state.counters.compiles += 1
      return false
    }
    guard isSpent else { return }
    throw .compile(
      "()",
      diagnostics: "\(limit) programs were compiled in this process and \(profile.name) compiles no"
        + " more; continue in a new process")
  }

  /// Compiles into the cache.
  private func place(_ source: ModelSource) throws(Failure) {
    let text = try text(of: source)
    let entry = cache.entry(of: source)
    guard !FileWatch.stops(entry), Files.makeDirectory(entry) else {
      throw Failure(
        .fileAccess, in: source.method, "the cache \(entry) cannot be made: \(Files.lastError)")
    }
    do {
      let report = try CompiledProgram.compile(
        text: text, modelDirectory: source.directory, profile: profile, directory: entry,
        packs: cache.packs)
      cache.remember(source)
      let branches = report.traits.map(\.fanIn).max() ?? 0
      state.withLock {
        $0.seconds += Double(report.weightBytes) * profile.cost.compileSecondsPerByte
        if branches > profile.limits.fanInMax { $0.seconds += profile.cost.wideFanInSeconds }
      }
    } catch {
      throw failure(error, source)
    }
  }

  func hasCompiled(_ source: ModelSource) -> Bool { cache.holds(source) }

  func purge(_ source: ModelSource) { cache.remove(source) }

  /// The text of the model, or the failure that its type or its file gives.
  private func text(of source: ModelSource) throws(Failure) -> String {
    guard let type = source.type else {
      throw Failure(
        domain: Failure.espresso, code: -1,
        text: "_ANEEspressoIRTranslator : error Cannot load network"
          + " '\(source.directory)/model.espresso.net'",
        reason: "the options do not say kANEFModelType; without it the daemon expects an Espresso"
          + " network. Pass kANEFModelMIL")
    }
    guard type == OptionKeys.milType else {
      throw Failure(
        .notSupported, in: source.method, "model type \(type) is not played; use kANEFModelMIL")
    }
    guard !source.fileName.split(separator: "/").contains(".."), !source.fileName.hasPrefix("/")
    else {
      throw Failure(
        .fileAccess, in: source.method,
        "\(source.fileName) is no file inside the model directory")
    }
    let path = source.path
    guard let bytes = Files.read(path) else {
      let kind: Failure.Kind = Files.changed(path) == nil ? .fileNotFound : .fileAccess
      throw Failure(kind, in: source.method, "\(path): \(Files.lastError)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .compile("InvalidMILProgram", diagnostics: "\(path) is not UTF-8 text")
    }
    return text
  }

  func failure(_ error: EngineError, _ source: ModelSource) -> Failure {
    switch error {
    case .program(let list):
      let errors = list.diagnostics.filter { $0.severity == .error }
      let isRefused = errors.allSatisfy {
        Rule.named($0.rule).map { $0.symptom != .invalidProgram } ?? false
      }
      return .compile(
        isRefused ? "CompilationFailure" : "InvalidMILProgram",
        diagnostics: list.text(file: source.path))
    case .damaged, .file, .stopped, .cancelled:
      return Failure(.fileAccess, in: source.method, error.message)
    }
  }

  // MARK: Evaluating

  /// `tellsTimes`: the model asked how long its programs take.
  func evaluate(
    _ program: LoadedProgram, _ request: RequestObject, route: String = "client",
    tellsTimes: Bool = false
  ) throws(Failure) {
    let method = "evaluate"
    _ = try meet(.eval, method)
    guard state.withLock({ $0.loaded[program.handle] != nil }) else {
      throw Failure(
        .programNotFound, in: method,
        "the daemon was restarted and holds the program no more; load it again")
    }
    let depth = program.waiting.wrappingAdd(1, ordering: .acquiring).newValue
    defer { program.waiting.wrappingSubtract(1, ordering: .releasing) }
    guard depth <= profile.limits.queueDepthMax else {
      throw Failure(
        .overflow, in: method,
        "\(depth - 1) requests wait for the program, as many as its queue holds;"
          + " wait for one of them")
    }
    let evaluation = try Evaluation(program, request, profile, route: route)
    let seconds = program.seconds[evaluation.index]
    state.withLock {
      $0.seconds += seconds
      $0.counters.evals += 1
    }
    try evaluation.run()
    let isTold = tellsTimes && profile.conduct.tellsHardwareTimes
    request.tell(nanoseconds: isTold ? UInt64(seconds * 1e9) : 0)
  }
}

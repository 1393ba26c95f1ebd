/// The daemon: compiles models into its cache, loads and unloads them within the device's limits,
/// and sends requests to the engine. It answers the client's calls; it knows no Objective-C.

import ANEProfiles
import MILEngine
import Synchronization

/// A program that holds one of the device's places.
final class LoadedProgram: Sendable {
  let handle: UInt64
  let procedures: [ExecutableFunction]
  let layout: ProgramLayout
  /// What it takes of the device's address space.
  let bytes: Int

  init(handle: UInt64, procedures: [ExecutableFunction], rowAlignment: Int) {
    self.handle = handle
    self.procedures = procedures
    layout = ProgramLayout(procedures, rowAlignment: rowAlignment)
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
  private struct State {
    var counters = DaemonCounters()
    var loaded: [UInt64: LoadedProgram] = [:]
    var nextHandle: UInt64 = 1
    var loadedBytes = 0
    var seconds = 0.0
    /// When the last compile failed; the service restarts then.
    var lastFailure: Double?
  }

  private let profile: Profile
  private let cache: ModelCache
  /// Bytes of the world's living surfaces.
  private let surfaceBytes: Tally
  private let state = Mutex(State())

  init(profile: Profile, cache: ModelCache, surfaceBytes: Tally) {
    self.profile = profile
    self.cache = cache
    self.surfaceBytes = surfaceBytes
    state.withLock { $0.seconds = profile.cost.startSeconds }
  }

  var counters: DaemonCounters { state.withLock { $0.counters } }

  /// The virtual clock.
  var seconds: Double { state.withLock { $0.seconds } }

  // MARK: Compiling

  func compile(_ source: ModelSource) throws(Failure) {
    try beginCompile()
    do throws(Failure) {
      try place(source)
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
    guard Files.makeDirectory(entry) else {
      throw Failure(
        .fileAccess, in: source.method, "the cache \(entry) cannot be made: \(Files.lastError)")
    }
    do {
      let report = try CompiledProgram.compile(
        text: text, modelDirectory: source.directory, profile: profile, directory: entry,
        packs: cache.packs)
      if report.traits.contains(where: { $0.fanIn > profile.limits.fanInMax }) {
        state.withLock { $0.seconds += profile.cost.wideFanInSeconds }
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

  private func failure(_ error: EngineError, _ source: ModelSource) -> Failure {
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

  // MARK: Loading

  /// Loads from the cache, or compiles first when the cache has nothing, something stale, or
  /// something damaged.
  func load(_ source: ModelSource) throws(Failure) -> LoadedProgram {
    state.withLock { $0.seconds += profile.cost.loadSeconds }
    if cache.isStale(source) { cache.remove(source) }
    if cache.holds(source), let procedures = try cached(source) {
      return try admit(procedures, source)
    }
    state.withLock { $0.counters.compilesInsideLoad += 1 }
    try compile(source)
    guard let procedures = try cached(source) else {
      throw Failure(.load, in: source.method, "the cache was damaged right after compiling")
    }
    return try admit(procedures, source)
  }

  /// What the cache holds; `nil` when it was damaged, and is dropped now, or was dropped.
  private func cached(_ source: ModelSource) throws(Failure) -> [ExecutableFunction]? {
    do {
      if profile.conduct.reload == .files { return try reread(source) }
      return try CompiledProgram.load(directory: cache.entry(of: source), packs: cache.packs)
        .functions
    } catch .damaged {
      cache.remove(source)
      return nil
    } catch {
      // Another process may have dropped the entry meanwhile.
      guard cache.holds(source) else { return nil }
      throw failure(error, source)
    }
  }

  /// The program over the weights that the model's files hold now.
  private func reread(_ source: ModelSource) throws(EngineError) -> [ExecutableFunction] {
    let program = try PatchableProgram(
      text: try CompiledProgram.text(directory: cache.entry(of: source)),
      modelDirectory: source.directory, profile: profile)
    return try program.executable().functions
  }

  /// Gives the program a place on the device, if there is one.
  private func admit(_ procedures: [ExecutableFunction], _ source: ModelSource) throws(Failure)
    -> LoadedProgram
  {
    let limits = profile.limits
    let surfaces = surfaceBytes.value
    let outcome: Result<LoadedProgram, Failure> = state.withLock { state in
      guard state.loaded.count < limits.loadedProgramsMax else {
        return .failure(
          .load(
            status: 0x50004, in: source.method,
            "\(state.loaded.count) programs are loaded and \(profile.name) holds no more;"
              + " unload one first"))
      }
      let program = LoadedProgram(
        handle: state.nextHandle, procedures: procedures, rowAlignment: limits.rowAlignmentBytes)
      let needed = state.loadedBytes + surfaces + program.bytes
      guard needed <= limits.addressSpaceBytes else {
        return .failure(
          .load(
            status: 0x20004, in: source.method,
            "the program's \(program.bytes) bytes, \(state.loadedBytes) bytes of loaded programs"
              + " and \(surfaces) bytes of surfaces exceed the \(limits.addressSpaceBytes) bytes"
              + " that the engine can address; unload programs or release surfaces"))
      }
      state.nextHandle += 1
      state.loaded[program.handle] = program
      state.loadedBytes += program.bytes
      state.counters.loads += 1
      state.counters.loadedPrograms = state.loaded.count
      return .success(program)
    }
    return try outcome.get()
  }

  /// Keeps the model directory as it is.
  func unload(_ program: LoadedProgram) {
    state.withLock { $0.seconds += profile.cost.unloadSeconds }
    forget(program)
  }

  /// Takes the program's place back when its model dies.
  func forget(_ program: LoadedProgram) {
    state.withLock { state in
      guard state.loaded.removeValue(forKey: program.handle) != nil else { return }
      state.loadedBytes -= program.bytes
      state.counters.unloads += 1
      state.counters.loadedPrograms = state.loaded.count
    }
  }

  // MARK: Evaluating

  func evaluate(_ program: LoadedProgram, _ request: RequestObject, route: String = "client")
    throws(Failure)
  {
    let evaluation = try Evaluation(program, request, profile, route: route)
    state.withLock {
      $0.seconds += evaluation.procedure.seconds(on: profile.cost)
      $0.counters.evals += 1
    }
    try evaluation.run()
  }
}

extension ExecutableFunction {
  /// Modelled time of one request: the dispatch, and then the arithmetic or the memory, whichever
  /// takes longer; longer still where operands or the program leave the engine's own memory.
  fileprivate func seconds(on cost: Cost) -> Double {
    let arithmetic = work.matmulFlops / cost.matmulFlops + work.convFlops / cost.convFlops
    let bytes = work.weightBytes + work.activationBytes
    let isLarge =
      traits.largestOperandBytes > cost.opBytesMax || bytes > cost.programBytesMax
    let seconds = max(arithmetic, Double(bytes) / cost.weightBytes)
    return cost.dispatchSeconds + seconds * (isLarge ? cost.slowdown : 1)
  }
}

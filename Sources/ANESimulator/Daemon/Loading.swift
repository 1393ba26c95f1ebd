/// The daemon's loads: from the cache, or compiled first, within the device's limits; and unloads.

import ANEProfiles
import MILEngine

extension Daemon {
  /// Loads from the cache, or compiles first when the cache has nothing, something stale, or
  /// something damaged.
  func load(_ source: ModelSource) throws(Failure) -> LoadedProgram {
    maintain()
    let effects = try meet(.load, source.method)
    state.withLock { $0.seconds += profile.cost.loadSeconds }
    if effects.contains(.flip) { cache.flip(source) }
    let servesStale = effects.contains(.stale)
    if !servesStale, cache.isStale(source) { cache.remove(source) }
    if cache.holds(source), let procedures = try cached(source, servesStale: servesStale) {
      return try admit(procedures, source)
    }
    state.withLock { $0.counters.compilesInsideLoad += 1 }
    try compile(source)
    guard let procedures = try cached(source, servesStale: servesStale) else {
      throw Failure(.load, in: source.method, "the cache was damaged right after compiling")
    }
    return try admit(procedures, source)
  }

  /// What the cache holds; `nil` when it was damaged, and is dropped now, or was dropped.
  private func cached(_ source: ModelSource, servesStale: Bool) throws(Failure)
    -> [ExecutableFunction]?
  {
    do {
      let rereads = profile.conduct.reload == .files && !servesStale
      if rereads, Files.changed(source.path) != nil { return try reread(source) }
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
        handle: state.nextHandle, procedures: procedures, profile: profile)
      guard program.bytes <= limits.programBytesMax else {
        return .failure(
          .load(
            status: 0x10004, in: source.method,
            "the program's \(program.bytes) bytes of weights exceed the \(limits.programBytesMax)"
              + " that the engine takes in one; split it"))
      }
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
  func unload(_ program: LoadedProgram, _ method: String) throws(Failure) {
    // A refused unload has taken the program from its model all the same.
    defer { forget(program) }
    _ = try meet(.unload, method)
    state.withLock { $0.seconds += profile.cost.unloadSeconds }
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
}

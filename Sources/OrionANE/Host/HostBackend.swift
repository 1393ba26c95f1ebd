import ANEProfiles
import CKernels
import MILEngine
import Synchronization

/// `cpu`: MILEngine on this machine, without the rules of any chip. It knows nothing of Apple.
///
/// A compiled program lies in `cpu/<key>`, its packed weights in `cpu/packs`. What was damaged there is
/// noticed when it is loaded, and compiled anew.
final class HostBackend: Backend {
  let profile = Profile.cpu
  let route = "host"
  private let caches: CacheDirectory
  private let counted = Mutex(Counters())

  /// What programs are planned with: the host's profile, with another arithmetic where one is wanted.
  private let planned: Profile
  /// Stands in the keys of compiled programs.
  private let target: String

  /// `name` tells an arithmetic from others.
  init(_ caches: CacheDirectory, arithmetic: Arithmetic? = nil, named name: String? = nil) {
    self.caches = caches
    var planned = Profile.cpu
    if let arithmetic { planned.arithmetic = arithmetic }
    self.planned = planned
    target = name.map { "\(Profile.cpu.name):\($0)" } ?? Profile.cpu.name
  }

  var counters: Counters { counted.withLock { $0 } }
  func count(_ change: (inout Counters) -> Void) { counted.withLock { change(&$0) } }

  func takeTrace() -> String { "" }

  func rowBytes(forRowOf bytes: Int) -> Int { bytes }

  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try HostStorage(layout)
  }

  let takesLongerTensors = true

  func makeLongStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try HostStorage(layout, isSparse: true)
  }

  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    if source.isPatchable { return try loadPatchable(source) }
    let weights = try WeightLinks(source).hash(caches.identity)
    let key = ProgramKey.make(
      text: source.text, weights: weights, target: target, route: route)
    let executable = try bring(key, source, weightsHash: weights)
    // What reading and planning took; looking for it is too slow where texts are short.
    if source.text.utf8.count > 64 << 10 { orion_return_memory() }
    return open(try Self.function(source.function, of: executable), nil)
  }

  /// A program over weights of its own: nothing of it is cached.
  private func loadPatchable(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    let model = try PrivateModel(source, caches: caches)
    count { $0.compiles += 1 }
    let program: PatchableProgram
    do throws(EngineError) {
      program = try PatchableProgram(
        text: source.text, modelDirectory: model.path, profile: planned)
    } catch {
      throw Self.error(error, source.function)
    }
    let function = try Self.function(source.function, of: program)
    return open(function, HostProgram.Patchable(program: program, model: model))
  }

  private func open(_ function: ExecutableFunction, _ patchable: HostProgram.Patchable?)
    -> HostProgram
  {
    count {
      $0.loads += 1
      $0.loadedPrograms += 1
    }
    return HostProgram(function, patchable, self)
  }

  /// Packs the weights as they are now.
  static func function(_ name: String, of program: PatchableProgram)
    throws(OrionError) -> ExecutableFunction
  {
    let executable: Executable
    do throws(EngineError) {
      executable = try program.executable()
    } catch {
      throw self.error(error, name)
    }
    return try function(name, of: executable)
  }

  private static func function(_ name: String, of executable: Executable)
    throws(OrionError) -> ExecutableFunction
  {
    guard let function = executable.function(named: name) else {
      throw TextReader.unknownFunction(name, executable.functions.map(\.name))
    }
    return function
  }

  /// The compiled program from the cache, or compiled now.
  private func bring(_ key: String, _ source: ProgramSource, weightsHash: String?)
    throws(OrionError) -> Executable
  {
    let directory = "\(caches.programs)/\(key)"
    if let cached = try cached(directory, source) {
      count { $0.cacheHits += 1 }
      return cached
    }
    return try FileLock.hold("cpu-\(key)", in: caches.locks) { () throws(OrionError) in
      // Another process may have been faster.
      if let cached = try cached(directory, source) {
        count { $0.cacheHits += 1 }
        return cached
      }
      let model = try ModelDirectory(
        key, source, weightsHash: weightsHash, caches: caches, identity: caches.identity)
      return try compile(source, model, directory)
    }
  }

  /// `nil` when there is nothing, or nothing whole.
  private func cached(_ directory: String, _ source: ProgramSource)
    throws(OrionError) -> Executable?
  {
    guard FileSystem.isDirectory(directory) else { return nil }
    do throws(EngineError) {
      return try CompiledProgram.load(directory: directory, packs: caches.packs)
    } catch {
      guard case .program = error else { return nil }
      throw Self.error(error, source.function)
    }
  }

  private func compile(
    _ source: ProgramSource, _ model: ModelDirectory, _ directory: String
  )
    throws(OrionError) -> Executable
  {
    try FileSystem.makeDirectory(directory, for: "compiled program's directory")
    try FileSystem.makeDirectory(caches.packs, for: "directory of packed weights")
    count { $0.compiles += 1 }
    do throws(EngineError) {
      _ = try CompiledProgram.compile(
        text: source.text, modelDirectory: model.path, profile: planned, directory: directory,
        packs: caches.packs)
      return try CompiledProgram.load(directory: directory, packs: caches.packs)
    } catch {
      throw Self.error(error, source.function)
    }
  }

  static func error(_ error: EngineError, _ function: String) -> OrionError {
    switch error {
    case .program(let faults): OrionError(.program, faults.text(file: "model.mil"))
    case .damaged(let what):
      OrionError(.file, "program \(function): \(what); clear the cache and try again")
    case .file(let what): OrionError(.file, "program \(function): \(what)")
    case .stopped(let what): OrionError(.device, "program \(function): \(what)")
    case .cancelled: OrionError(.cancelled, "program \(function): cancelled")
    }
  }
}

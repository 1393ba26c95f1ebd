/// What the daemon said of a model: its program and attributes while it is loaded.

import Synchronization

final class ModelState: Sendable {
  enum Stage: UInt64 {
    case made = 1
    case loaded = 3
    /// A compile or load of it failed.
    case failed = 5
  }

  private struct Loaded {
    let program: LoadedProgram
    let attributes: DictionaryObject
    let statsMask: UInt32
  }

  private struct State {
    var loaded: Loaded?
    var hasFailed = false
    var statsMask: UInt32 = 0
  }

  private let world: World
  private let emptyAttributes: DictionaryObject
  private let state = Mutex(State())

  init(_ world: World) {
    self.world = world
    emptyAttributes = DictionaryObject([], world: world)
  }

  var program: LoadedProgram? { state.withLock { $0.loaded?.program } }
  var stage: Stage {
    state.withLock { $0.loaded != nil ? .loaded : $0.hasFailed ? .failed : .made }
  }
  /// Empty until the model is loaded.
  var attributes: DictionaryObject { state.withLock { $0.loaded?.attributes } ?? emptyAttributes }
  /// Bits of a mask of times that the driver looks at.
  static let statsMaskKnown: UInt32 = 0xF
  /// Which times are asked for; a load forgets it.
  var statsMask: UInt32 {
    get { state.withLock { $0.statsMask } }
    set { state.withLock { $0.statsMask = newValue } }
  }
  /// Times were asked for when the model was loaded, and again since.
  var asksForTimes: Bool {
    state.withLock {
      ($0.loaded?.statsMask ?? 0) & $0.statsMask & ModelState.statsMaskKnown != 0
    }
  }
  /// 0 until the model is loaded.
  var queueDepth: Int8 {
    program == nil ? 0 : Int8(clamping: world.profile.limits.queueDepthMax)
  }

  /// Compiles or loads; a failure stays with the model.
  func attempt(_ body: () throws(Failure) -> Void) throws(Failure) {
    do throws(Failure) {
      try body()
    } catch {
      state.withLock { $0.hasFailed = true }
      throw error
    }
  }

  /// Loads, unless that was done before.
  func load(_ source: ModelSource) throws(Failure) {
    guard program == nil else { return }
    try attempt { () throws(Failure) in
      become(try world.daemon.load(source), statsMask: source.statsMask)
    }
  }

  /// Takes the program, or the place it got is given back when another thread was faster.
  private func become(_ program: LoadedProgram, statsMask: UInt32) {
    let attributes = program.layout.attributes(world)
    let isFirst = state.withLock { state in
      guard state.loaded == nil else { return false }
      state = State(
        loaded: Loaded(program: program, attributes: attributes, statsMask: statsMask))
      return true
    }
    guard !isFirst else { return }
    attributes.release()
    world.daemon.forget(program)
  }

  /// The program it had, if any.
  func becomeUnloaded() -> LoadedProgram? {
    let former = state.withLock { state in
      defer { state = State() }
      return state.loaded
    }
    former?.attributes.release()
    return former?.program
  }

  /// A model that dies gives its program's place back.
  func dispose() {
    if let program = becomeUnloaded() { world.daemon.forget(program) }
    emptyAttributes.release()
  }
}

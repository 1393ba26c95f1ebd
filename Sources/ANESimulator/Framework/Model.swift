/// _ANEModel: a model directory with a key, and what the daemon said of it when it was loaded.

import Synchronization

final class ModelObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEModel" }

  enum Stage: UInt64 {
    case made = 1
    case loaded = 3
    /// A compile or load of it failed.
    case failed = 5
  }

  private struct Loaded {
    let program: LoadedProgram
    let attributes: DictionaryObject
  }

  private struct State {
    var loaded: Loaded?
    var hasFailed = false
  }

  let url: URLObject?
  let key: StringObject?
  private let emptyAttributes: DictionaryObject
  private let state = Mutex(State())

  init(url: URLObject?, key: StringObject?, isa: ObjectClass, world: World) {
    self.url = url?.retained()
    self.key = key?.retained()
    emptyAttributes = DictionaryObject([], world: world)
    super.init(isa: isa, world: world)
  }

  var program: LoadedProgram? { state.withLock { $0.loaded?.program } }
  var stage: Stage {
    state.withLock { $0.loaded != nil ? .loaded : $0.hasFailed ? .failed : .made }
  }
  /// Empty until the model is loaded.
  var attributes: DictionaryObject { state.withLock { $0.loaded?.attributes } ?? emptyAttributes }

  /// Takes the program, or the place it got is given back when another thread was faster.
  func becomeLoaded(_ program: LoadedProgram) {
    let attributes = program.layout.attributes(world)
    let isFirst = state.withLock { state in
      guard state.loaded == nil else { return false }
      state = State(loaded: Loaded(program: program, attributes: attributes))
      return true
    }
    guard !isFirst else { return }
    attributes.release()
    world?.daemon.forget(program)
  }

  func becomeFailed() { state.withLock { $0.hasFailed = true } }

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
  override func dispose() {
    if let program = becomeUnloaded() { world?.daemon.forget(program) }
    url?.release()
    key?.release()
    emptyAttributes.release()
  }
}

enum ModelClass {
  static let row = ClassRow(
    name: "_ANEModel", superclass: "NSObject",
    classMethods: [
      Method(
        "modelAtURL:key:", "@@:@@",
        { receiver, _, url, key in
          let call = Call("+[_ANEModel modelAtURL:key:]")
          guard let (cls, world) = call.home(receiver),
            let url = call.optional(url, as: "the URL", URLObject.self),
            let key = call.optional(key, as: "key", StringObject.self)
          else { return nil }
          return ModelObject(url: url, key: key, isa: cls, world: world).autoreleased()
        } as @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?) -> Pointer?)
    ],
    instanceMethods: [
      Method("modelURL", "@@:", { id, _ in model(id, "modelURL")?.url?.address } as Get),
      Method("key", "@@:", { id, _ in model(id, "key")?.key?.address } as Get),
      Method(
        "modelAttributes", "@@:",
        { id, _ in model(id, "modelAttributes")?.attributes.address } as Get),
      Method("state", "Q@:", { id, _ in model(id, "state")?.stage.rawValue ?? 0 } as Number),
      Method(
        "programHandle", "Q@:",
        { id, _ in model(id, "programHandle")?.program?.handle ?? 0 } as Number),
      Method(
        "queueDepth", "c@:",
        { id, _ in
          guard let model = model(id, "queueDepth"), model.program != nil else { return 0 }
          return Int8(clamping: model.world?.profile.limits.queueDepthMax ?? 0)
        } as @convention(c) (Pointer?, Pointer?) -> Int8),
      Method(
        "inputSymbolIndicesForProcedureIndex:", "@@:I",
        { id, _, procedure in
          indices(id, "inputSymbolIndicesForProcedureIndex:", procedure) { $0.inputs }
        } as Indices),
      Method(
        "outputSymbolIndicesForProcedureIndex:", "@@:I",
        { id, _, procedure in
          indices(id, "outputSymbolIndicesForProcedureIndex:", procedure) { $0.outputs }
        } as Indices),
    ])

  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
  private typealias Number = @convention(c) (Pointer?, Pointer?) -> UInt64
  private typealias Indices = @convention(c) (Pointer?, Pointer?, UInt32) -> Pointer?

  private static func model(_ id: Pointer?, _ message: String) -> ModelObject? {
    Call("-[_ANEModel \(message)]").object(id, as: "the receiver")
  }

  /// Empty for a procedure that the model does not have.
  private static func indices(
    _ id: Pointer?, _ message: String, _ procedure: UInt32,
    _ side: (ProcedureLayout) -> [Operand]
  ) -> Pointer? {
    guard let model = model(id, message) else { return nil }
    let procedures = model.program?.layout.procedures ?? []
    let operands =
      procedures.indices.contains(Int(procedure))
      ? side(procedures[Int(procedure)]) : []
    return IndexSetObject(operands.map { UInt($0.symbol) }, world: model.world).autoreleased()
  }
}

/// What the framework's two kinds of models have in common: what the daemon said when they were loaded, and the messages
/// that tell of it.

class LoadedModel: Instance, @unchecked Sendable {
  override class var kind: String { "a model" }

  let state: ModelState

  init(isa: ObjectClass, world: World) {
    state = ModelState(world)
    super.init(isa: isa, world: world)
  }

  override func dispose() { state.dispose() }

  static let methods: [Method] = [
    Method(
      "modelAttributes", "@@:",
      { id, _ in state(id, "modelAttributes")?.attributes.address }
        as @convention(c) (Pointer?, Pointer?) -> Pointer?),
    Method("state", "Q@:", { id, _ in state(id, "state")?.stage.rawValue ?? 0 } as Number),
    Method(
      "programHandle", "Q@:",
      { id, _ in state(id, "programHandle")?.program?.handle ?? 0 } as Number
    ),
    Method(
      "queueDepth", "c@:",
      { id, _ in state(id, "queueDepth")?.queueDepth ?? 0 }
        as @convention(c) (Pointer?, Pointer?) -> Int8),
    Method(
      "perfStatsMask", "I@:",
      { id, _ in state(id, "perfStatsMask")?.statsMask ?? 0 }
        as @convention(c) (Pointer?, Pointer?) -> UInt32),
    Method(
      "setPerfStatsMask:", "v@:I",
      { id, _, mask in state(id, "setPerfStatsMask:")?.statsMask = mask }
        as @convention(c) (Pointer?, Pointer?, UInt32) -> Void),
  ]

  private typealias Number = @convention(c) (Pointer?, Pointer?) -> UInt64

  private static func state(_ id: Pointer?, _ message: String) -> ModelState? {
    Call("-[\(kind) \(message)]").object(id, as: "the receiver", LoadedModel.self)?.state
  }
}

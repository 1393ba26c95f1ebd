/// _ANEModel: a model directory with a key, and what the daemon said of it when it was loaded.

final class ModelObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEModel" }

  let url: URLObject?
  let key: StringObject?
  let state: ModelState

  init(url: URLObject?, key: StringObject?, isa: ObjectClass, world: World) {
    self.url = url?.retained()
    self.key = key?.retained()
    state = ModelState(world)
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    state.dispose()
    url?.release()
    key?.release()
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
        { id, _ in model(id, "modelAttributes")?.state.attributes.address } as Get),
      Method("state", "Q@:", { id, _ in model(id, "state")?.state.stage.rawValue ?? 0 } as Number),
      Method(
        "programHandle", "Q@:",
        { id, _ in model(id, "programHandle")?.state.program?.handle ?? 0 } as Number),
      Method(
        "queueDepth", "c@:",
        { id, _ in model(id, "queueDepth")?.state.queueDepth ?? 0 }
          as @convention(c) (Pointer?, Pointer?) -> Int8),
      Method(
        "perfStatsMask", "I@:",
        { id, _ in model(id, "perfStatsMask")?.state.statsMask ?? 0 }
          as @convention(c) (Pointer?, Pointer?) -> UInt32),
      Method(
        "setPerfStatsMask:", "v@:I",
        { id, _, mask in model(id, "setPerfStatsMask:")?.state.statsMask = mask }
          as @convention(c) (Pointer?, Pointer?, UInt32) -> Void),
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
    let procedures = model.state.program?.layout.procedures ?? []
    let operands =
      procedures.indices.contains(Int(procedure))
      ? side(procedures[Int(procedure)]) : []
    return IndexSetObject(operands.map { UInt($0.symbol) }, world: model.world).autoreleased()
  }
}

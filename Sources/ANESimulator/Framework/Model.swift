/// _ANEModel: a model directory with a key, and what the daemon said of it when it was loaded.

final class ModelObject: LoadedModel, @unchecked Sendable {
  override class var kind: String { "an _ANEModel" }

  let url: URLObject?
  let key: StringObject?

  init(url: URLObject?, key: StringObject?, isa: ObjectClass, world: World) {
    self.url = url?.retained()
    self.key = key?.retained()
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    super.dispose()
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
    instanceMethods: LoadedModel.methods + ownMethods)

  private static let ownMethods: [Method] = [
    Method("modelURL", "@@:", { id, _ in model(id, "modelURL")?.url?.address } as Get),
    Method("key", "@@:", { id, _ in model(id, "key")?.key?.address } as Get),
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
  ]

  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
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

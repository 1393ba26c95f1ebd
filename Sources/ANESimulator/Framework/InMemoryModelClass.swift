/// The messages of _ANEInMemoryModel: they check their arguments and hand on.

enum InMemoryModelClass {
  static let row = ClassRow(
    name: "_ANEInMemoryModel", superclass: "NSObject",
    classMethods: [
      Method(
        "inMemoryModelWithDescriptor:", "@@:@",
        { receiver, _, descriptor in
          let call = Call("+[_ANEInMemoryModel inMemoryModelWithDescriptor:]")
          guard let (cls, world) = call.home(receiver), descriptor != nil,
            let descriptor = call.object(
              descriptor, as: "the descriptor", DescriptorObject.self)
          else { return nil }
          return InMemoryModelObject(descriptor, isa: cls, world: world).autoreleased()
        } as @convention(c) (Pointer?, Pointer?, Pointer?) -> Pointer?)
    ],
    instanceMethods: LoadedModel.methods + ownMethods)

  private static let ownMethods: [Method] = [
    Method("compileWithQoS:options:error:", "B@:I@^@", compile),
    Method("loadWithQoS:options:error:", "B@:I@^@", load),
    Method("unloadWithQoS:error:", "B@:I^@", unload),
    Method("evaluateWithQoS:options:request:error:", "B@:I@@^@", evaluate),
    Method("mapIOSurfacesWithRequest:cacheInference:error:", "B@:@B^@", map),
    Method(
      "unmapIOSurfacesWithRequest:", "v@:@",
      { id, _, _ in _ = model(id, "unmapIOSurfacesWithRequest:") }
        as @convention(c) (Pointer?, Pointer?, Pointer?) -> Void),
    Method(
      "compiledModelExists", "B@:",
      { id, _ in model(id, "compiledModelExists")?.isCompiled ?? false } as Flag),
    Method(
      "purgeCompiledModel", "v@:",
      { id, _ in model(id, "purgeCompiledModel")?.purge() }
        as @convention(c) (Pointer?, Pointer?) -> Void),
    Method(
      "saveModelFiles", "@@:",
      { id, _ in (try? model(id, "saveModelFiles")?.saveFiles("saveModelFiles"))?.address }
        as Get),
    Method(
      "localModelPath", "@@:", { id, _ in text(id, "localModelPath") { $0.localPath } } as Get),
    Method(
      "hexStringIdentifier", "@@:",
      { id, _ in text(id, "hexStringIdentifier") { $0.identifier } } as Get),
    Method("modelURL", "@@:", { id, _ in model(id, "modelURL")?.url?.address } as Get),
    Method("setModelURL:", "v@:@", setURL),
    Method("descriptor", "@@:", { id, _ in model(id, "descriptor")?.descriptor?.address } as Get),
    Method("isMILModel", "B@:", { id, _ in model(id, "isMILModel")?.isMIL ?? false } as Flag),
    // A program of MIL text has no such buffer.
    Method(
      "intermediateBufferHandle", "Q@:",
      { id, _ in
        _ = model(id, "intermediateBufferHandle")
        return 0
      } as Number),
  ]

  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
  private typealias Flag = @convention(c) (Pointer?, Pointer?) -> Bool
  private typealias Number = @convention(c) (Pointer?, Pointer?) -> UInt64
  private typealias Verb =
    @convention(c) (Pointer?, Pointer?, UInt32, Pointer?, ErrorSlot?) -> Bool

  private static func model(_ id: Pointer?, _ message: String) -> InMemoryModelObject? {
    Call("-[_ANEInMemoryModel \(message)]").object(id, as: "the receiver")
  }

  private static func text(
    _ id: Pointer?, _ message: String, _ text: (InMemoryModelObject) -> String
  ) -> Pointer? {
    guard let model = model(id, message) else { return nil }
    return StringObject(text(model), world: model.world).autoreleased()
  }

  private static func perform(
    _ method: String, _ id: Pointer?, _ slot: ErrorSlot?,
    _ body: (Call, InMemoryModelObject) throws(Failure) -> Void
  ) -> Bool {
    let call = Call("-[_ANEInMemoryModel \(method)]")
    guard let model = call.object(id, as: "the receiver", InMemoryModelObject.self),
      let world = model.world
    else { return false }
    return call.succeeds(slot, in: world) { () throws(Failure) in try body(call, model) }
  }

  private static let compile: Verb = { id, _, _, options, slot in
    let method = "compileWithQoS:options:error:"
    return perform(method, id, slot) { (call, model) throws(Failure) in
      try model.compile(method, try call.argument(options, "options"))
    }
  }

  private static let load: Verb = { id, _, qos, options, slot in
    let method = "loadWithQoS:options:error:"
    return perform(method, id, slot) { (call, model) throws(Failure) in
      let options: DictionaryObject? = try call.argument(options, "options")
      try QoSMapperClass.check(qos, in: method)
      try model.load(method, options)
    }
  }

  private static let unload: @convention(c) (Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool = {
    id, _, _, slot in
    let method = "unloadWithQoS:error:"
    return perform(method, id, slot) { (_, model) throws(Failure) in try model.unload(method) }
  }

  private static let evaluate:
    @convention(c) (Pointer?, Pointer?, UInt32, Pointer?, Pointer?, ErrorSlot?) -> Bool = {
      id, _, _, options, request, slot in
      let method = "evaluateWithQoS:options:request:error:"
      return perform(method, id, slot) { (call, model) throws(Failure) in
        let _: DictionaryObject? = try call.argument(options, "options")
        guard let request: RequestObject = try call.argument(request, "request") else {
          throw .evaluation(status: 0x1d, "the request is nil")
        }
        // Seen hanging and failing; a call that never returns helps nobody.
        guard request.events == nil else {
          throw Failure(
            .inference, in: method,
            "requests of models in memory with sharedEvents hang or fail; use the client")
        }
        try request.inFlight { () throws(Failure) in try model.evaluate(method, request) }
      }
    }

  /// Fails for programs of MIL text, which have no intermediate buffer.
  private static let map: @convention(c) (Pointer?, Pointer?, Pointer?, Bool, ErrorSlot?) -> Bool =
    {
      id, _, request, _, slot in
      let method = "mapIOSurfacesWithRequest:cacheInference:error:"
      return perform(method, id, slot) { (call, _) throws(Failure) in
        let _: RequestObject? = try call.argument(request, "request")
        throw .mapping(in: method, "the program's intermediateBufferHandle is 0; do not map")
      }
    }

  private static let setURL: @convention(c) (Pointer?, Pointer?, Pointer?) -> Void = {
    id, _, url in
    let call = Call("-[_ANEInMemoryModel setModelURL:]")
    guard let model = call.object(id, as: "the receiver", InMemoryModelObject.self),
      let url = call.optional(url, as: "the URL", URLObject.self)
    else { return }
    model.take(url: url)
  }
}

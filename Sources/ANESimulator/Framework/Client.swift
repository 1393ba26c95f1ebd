/// _ANEClient: the connection to the daemon. It checks arguments and hands on; it knows nothing of
/// files or MIL.

final class ClientObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEClient" }

  /// Not kept alive: the world keeps the client.
  private(set) weak var home: World?

  init(isa: ObjectClass, home: World) {
    self.home = home
    super.init(isa: isa, world: nil, isImmortal: true)
  }
}

enum ClientClass {
  static let row = ClassRow(
    name: "_ANEClient", superclass: "NSObject",
    classMethods: [
      Method(
        "sharedConnection", "@@:",
        { receiver, _ in
          Call("+[_ANEClient sharedConnection]").home(receiver)?.1.client.address
        } as @convention(c) (Pointer?, Pointer?) -> Pointer?)
    ],
    instanceMethods: [
      Method(
        "isVirtualClient", "B@:", { _, _ in false } as @convention(c) (Pointer?, Pointer?) -> Bool),
      Method("compileModel:options:qos:error:", "B@:@@I^@", compile),
      Method("loadModel:options:qos:error:", "B@:@@I^@", load),
      Method("unloadModel:options:qos:error:", "B@:@@I^@", unload),
      Method("compiledModelExistsFor:", "B@:@", exists),
      Method("purgeCompiledModel:", "v@:@", purge),
      Method("evaluateWithModel:options:request:qos:error:", "B@:@@@I^@", evaluate),
      Method("doEvaluateDirectWithModel:options:request:qos:error:", "B@:@@@I^@", evaluateDirectly),
    ])

  private typealias ModelCall =
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool
  private typealias Evaluation =
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool

  private static let compile: ModelCall = { receiver, _, model, options, _, slot in
    let method = "compileModel:options:qos:error:"
    return perform(method, receiver, slot) { (call, world) throws(Failure) in
      let (model, source) = try source(call, method, model, options)
      do throws(Failure) {
        try world.daemon.compile(source)
      } catch {
        model.becomeFailed()
        throw error
      }
    }
  }

  private static let load: ModelCall = { receiver, _, model, options, qos, slot in
    let method = "loadModel:options:qos:error:"
    return perform(method, receiver, slot) { (call, world) throws(Failure) in
      let (model, source) = try source(call, method, model, options)
      guard qos != QoSMapperClass.realTime else {
        throw Failure(
          .priority, in: method, "quality of service 0 is real time; use another, as 21")
      }
      guard model.program == nil else { return }
      do throws(Failure) {
        model.becomeLoaded(try world.daemon.load(source))
      } catch {
        model.becomeFailed()
        throw error
      }
    }
  }

  private static let unload: ModelCall = { receiver, _, id, options, _, slot in
    let method = "unloadModel:options:qos:error:"
    return perform(method, receiver, slot) { (call, world) throws(Failure) in
      let model: ModelObject? = try call.argument(id, "model")
      let _: DictionaryObject? = try call.argument(options, "options")
      guard let program = model?.becomeUnloaded() else {
        throw Failure(.invalidModel, in: method, "the model is nil or not loaded")
      }
      world.daemon.unload(program)
    }
  }

  private static let exists: @convention(c) (Pointer?, Pointer?, Pointer?) -> Bool = {
    receiver, _, model in
    let method = "compiledModelExistsFor:"
    var isCompiled = false
    _ = perform(method, receiver, nil) { (call, world) throws(Failure) in
      isCompiled = world.daemon.hasCompiled(try source(call, method, model, nil).source)
    }
    return isCompiled
  }

  private static let purge: @convention(c) (Pointer?, Pointer?, Pointer?) -> Void = {
    receiver, _, model in
    let method = "purgeCompiledModel:"
    _ = perform(method, receiver, nil) { (call, world) throws(Failure) in
      world.daemon.purge(try source(call, method, model, nil).source)
    }
  }

  private static let evaluate: Evaluation = { receiver, _, model, options, request, _, slot in
    run("evaluateWithModel:options:request:qos:error:", receiver, model, options, request, slot)
  }

  /// The same without a hop through the client's queue.
  private static let evaluateDirectly: Evaluation = {
    receiver, _, model, options, request, _, slot in
    run(
      "doEvaluateDirectWithModel:options:request:qos:error:", receiver, model, options, request,
      slot)
  }

  private static func run(
    _ method: String, _ receiver: Pointer?, _ model: Pointer?, _ options: Pointer?,
    _ request: Pointer?, _ slot: ErrorSlot?
  ) -> Bool {
    perform(method, receiver, slot) { (call, world) throws(Failure) in
      guard let model: ModelObject = try call.argument(model, "model") else {
        throw Failure(.invalidModel, in: method, "the model is nil")
      }
      let _: DictionaryObject? = try call.argument(options, "options")
      guard let request: RequestObject = try call.argument(request, "request") else {
        throw .evaluation(status: 0x1d, "the request is nil")
      }
      guard let program = model.program else {
        throw Failure(.programNotFound, in: method, "the model is not loaded; load it first")
      }
      // Another thread may drop the request while the engine works on its surfaces.
      request.retained()
      defer { request.release() }
      try world.daemon.evaluate(program, request)
    }
  }

  private static func perform(
    _ method: String, _ receiver: Pointer?, _ slot: ErrorSlot?,
    _ body: (Call, World) throws(Failure) -> Void
  ) -> Bool {
    let call = Call("-[_ANEClient \(method)]")
    guard let client = call.object(receiver, as: "the receiver", ClientObject.self),
      let world = client.home
    else { return false }
    return call.succeeds(slot, in: world) { () throws(Failure) in try body(call, world) }
  }

  /// What the daemon is told of a model.
  private static func source(
    _ call: Call, _ method: String, _ model: Pointer?, _ options: Pointer?
  ) throws(Failure) -> (model: ModelObject, source: ModelSource) {
    let model: ModelObject? = try call.argument(model, "model")
    let options: DictionaryObject? = try call.argument(options, "options")
    guard let model, let url = model.url else {
      throw Failure(.invalidModel, in: method, "the model is nil or has no URL")
    }
    guard let key = model.key?.text, !key.isEmpty else {
      throw Failure(.invalidKey, in: method, "the model's key is nil or empty")
    }
    let source = ModelSource(
      method: method, directory: url.standardPath, key: key,
      type: (options?.object(OptionKeys.modelType) as? StringObject)?.text,
      fileName: (options?.object(OptionKeys.fileName) as? StringObject)?.text ?? "model.mil")
    return (model, source)
  }
}

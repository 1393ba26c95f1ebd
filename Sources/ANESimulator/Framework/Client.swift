/// _ANEClient: the connection to the daemon, with the calls that a model's life is made of. Each has a
/// twin, `do…`, without a hop through the client's queue. It checks arguments and hands on; it knows
/// nothing of files or MIL.

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
  static let name = "_ANEClient"

  static let row = ClassRow(
    name: name, superclass: "NSObject",
    classMethods: ["sharedConnection", "sharedPrivateConnection"].map {
      Method($0, "@@:", connection)
    },
    instanceMethods: [
      ("compileModel:options:qos:error:", "CompileModel:options:qos:error:", compile),
      ("loadModel:options:qos:error:", "LoadModel:options:qos:error:", load),
      ("unloadModel:options:qos:error:", "UnloadModel:options:qos:error:", unload),
    ].flatMap { name, twin, body in
      [Method(name, "B@:@@I^@", body), Method("do\(twin)", "B@:@@I^@", body)]
    } + [
      Method("evaluateWithModel:options:request:qos:error:", "B@:@@@I^@", evaluate),
      Method("doEvaluateWithModel:options:request:qos:error:", "B@:@@@I^@", evaluate),
      Method("doEvaluateDirectWithModel:options:request:qos:error:", "B@:@@@I^@", evaluate),
      Method("compiledModelExistsFor:", "B@:@", exists),
      Method("compiledModelExistsMatchingHash:", "B@:@", existsMatching),
      Method("purgeCompiledModel:", "v@:@", purge),
      Method("purgeCompiledModelMatchingHash:", "v@:@", purgeMatching),
    ] + ClientSurfaces.methods + RestrictedCalls.methods)

  typealias Flag = @convention(c) (Pointer?, Pointer?) -> Bool
  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
  private typealias ModelCall =
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool
  private typealias Evaluation =
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool
  private typealias Question = @convention(c) (Pointer?, Pointer?, Pointer?) -> Bool
  private typealias Order = @convention(c) (Pointer?, Pointer?, Pointer?) -> Void

  private static let connection: Get = { receiver, selector in
    Call("+[_ANEClient \(Selectors.name(of: selector) ?? "?")]").home(receiver)?.1.client.address
  }

  private static let compile: ModelCall = { receiver, selector, model, options, _, slot in
    perform(selector, receiver, slot) { (call, world) throws(Failure) in
      let (model, source) = try source(call, model, options)
      try model.state.attempt { () throws(Failure) in try world.daemon.compile(source) }
    }
  }

  private static let load: ModelCall = { receiver, selector, model, options, qos, slot in
    perform(selector, receiver, slot) { (call, _) throws(Failure) in
      let (model, source) = try source(call, model, options)
      try QoSMapperClass.check(qos, in: call.method)
      try model.state.load(source)
    }
  }

  private static let unload: ModelCall = { receiver, selector, id, options, _, slot in
    perform(selector, receiver, slot) { (call, world) throws(Failure) in
      let model: ModelObject? = try call.argument(id, "model")
      let _: DictionaryObject? = try call.argument(options, "options")
      guard let program = model?.state.becomeUnloaded() else {
        throw Failure(.invalidModel, in: call.method, "the model is nil or not loaded")
      }
      try world.daemon.unload(program, call.method)
    }
  }

  private static let evaluate: Evaluation = {
    receiver, selector, model, options, request, _, slot in
    run(selector, receiver, model, options, request, slot)
  }

  private static let exists: Question = { receiver, selector, model in
    var isCompiled = false
    _ = perform(selector, receiver, nil) { (call, world) throws(Failure) in
      isCompiled = world.daemon.hasCompiled(try source(call, model, nil).source)
    }
    return isCompiled
  }

  private static let existsMatching: Question = { receiver, selector, hash in
    var isCompiled = false
    _ = perform(selector, receiver, nil) { (call, world) throws(Failure) in
      isCompiled = world.daemon.hasCompiled(try source(call, hash: hash))
    }
    return isCompiled
  }

  private static let purge: Order = { receiver, selector, model in
    _ = perform(selector, receiver, nil) { (call, world) throws(Failure) in
      world.daemon.purge(try source(call, model, nil).source)
    }
  }

  private static let purgeMatching: Order = { receiver, selector, hash in
    _ = perform(selector, receiver, nil) { (call, world) throws(Failure) in
      world.daemon.purge(try source(call, hash: hash))
    }
  }

  /// One evaluation, whichever message asks for it.
  static func run(
    _ selector: Pointer?, _ receiver: Pointer?, _ model: Pointer?, _ options: Pointer?,
    _ request: Pointer?, _ slot: ErrorSlot?
  ) -> Bool {
    perform(selector, receiver, slot) { (call, world) throws(Failure) in
      guard let model: ModelObject = try call.argument(model, "model") else {
        throw Failure(.invalidModel, in: call.method, "the model is nil")
      }
      let _: DictionaryObject? = try call.argument(options, "options")
      guard let request: RequestObject = try call.argument(request, "request") else {
        throw .evaluation(status: 0x1d, "the request is nil")
      }
      guard let program = model.state.program else {
        throw Failure(.programNotFound, in: call.method, "the model is not loaded; load it first")
      }
      let tellsTimes = model.state.asksForTimes
      let evaluate: @Sendable () throws(Failure) -> Void = { () throws(Failure) in
        try world.daemon.evaluate(program, request, tellsTimes: tellsTimes)
      }
      guard let events = request.events else { return try request.inFlight(evaluate) }
      try request.leave(events, call, evaluate)
    }
  }

  static func perform(
    _ selector: Pointer?, _ receiver: Pointer?, _ slot: ErrorSlot?,
    _ body: (Call, World) throws(Failure) -> Void
  ) -> Bool {
    let method = Selectors.name(of: selector) ?? "?"
    let call = Call("-[_ANEClient \(method)]", method: method)
    guard let client = call.object(receiver, as: "the receiver", ClientObject.self),
      let world = client.home
    else { return false }
    return call.succeeds(slot, in: world) { () throws(Failure) in try body(call, world) }
  }

  /// What the daemon is told of a model.
  private static func source(_ call: Call, _ model: Pointer?, _ options: Pointer?)
    throws(Failure) -> (model: ModelObject, source: ModelSource)
  {
    let model: ModelObject? = try call.argument(model, "model")
    let options: DictionaryObject? = try call.argument(options, "options")
    guard let model, let url = model.url else {
      throw Failure(.invalidModel, in: call.method, "the model is nil or has no URL")
    }
    guard let key = model.key?.text, !key.isEmpty else {
      throw Failure(.invalidKey, in: call.method, "the model's key is nil or empty")
    }
    let mask = (options?.object(OptionKeys.statsMask) as? NumberObject)?.integer ?? 0
    let source = ModelSource(
      method: call.method, directory: url.standardPath, key: key,
      type: (options?.object(OptionKeys.modelType) as? StringObject)?.text,
      fileName: (options?.object(OptionKeys.fileName) as? StringObject)?.text ?? "model.mil",
      statsMask: UInt32(truncatingIfNeeded: mask))
    return (model, source)
  }

  /// A model in memory that is known by its identity alone.
  private static func source(_ call: Call, hash: Pointer?) throws(Failure) -> ModelSource {
    guard let hash: StringObject = try call.argument(hash, "hash") else {
      throw Failure(.modelIdentifier, in: call.method, "the hash is nil")
    }
    return ModelSource(
      method: call.method, directory: "", key: "", type: nil, fileName: "", identity: hash.text)
  }
}

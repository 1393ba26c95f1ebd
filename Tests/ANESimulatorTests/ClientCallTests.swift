import ANEProfiles
import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The client's less usual messages: twins, restricted ones, hashes, maps, completion handlers, queues.
struct ClientCallTests {
  let client: Client
  let text = sumProgram("f(x:2x32)->(y:2x32)")
  init() throws { client = try makeClient() }

  private func evaluate(_ client: Client, _ model: ID, _ message: String? = nil) throws {
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    defer {
      try? client.release(x)
      try? client.release(y)
    }
    try client.evaluate(
      model, inputs: [(0, x)], outputs: [(0, y)],
      message: message ?? "evaluateWithModel:options:request:qos:error:")
  }

  @Test func twinsDoTheSame() throws {
    let model = try client.model(try makeModelDirectory(text), key: "1")
    let options = try client.milOptions()
    for verb in ["doCompile", "doLoad", "doUnload", "doLoad"] {
      try client.perform(verb, model, options: options)
    }
    for message in ["doEvaluateWithModel", "doEvaluateDirectWithModel"] {
      try evaluate(client, model, "\(message):options:request:qos:error:")
    }
    #expect(client.world.counters.evals == 2)
    let error = try #require(throws: Reported.self) { try client.perform("doLoad", nil) }
    #expect(error.text.hasPrefix("doLoadModel:options:qos:error:"))
  }

  @Test func restrictedCallsAreRefusedByTheirRows() throws {
    let connection = try client.connection()
    typealias Five =
      @convention(c) (ID?, ID?, ID?, ID?, ID?, UInt32, UnsafeMutablePointer<ID?>?) -> Bool
    typealias Hint =
      @convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, UnsafeMutablePointer<ID?>?) -> Bool
    for row in RestrictedCalls.rows {
      try client.pool { () throws in
        let selector = try client.selector(row.selector)
        var error: ID?
        let isDone =
          switch row.form {
          case .four:
            try client.method(connection, row.selector, as: Client.ModelCall.self)(
              connection, selector, nil, nil, 21, &error)
          case .five:
            try client.method(connection, row.selector, as: Five.self)(
              connection, selector, nil, nil, nil, 21, &error)
          case .hint:
            try client.method(connection, row.selector, as: Hint.self)(
              connection, selector, nil, nil, nil, nil, &error)
          }
        #expect(!isDone)
        let reported = try client.reported(error)
        #expect(reported.code == row.kind.rawValue)
        #expect(reported.text.hasPrefix(row.selector))
      }
    }
    #expect(try client.number(connection, "beginRealTimeTask") & 1 == 0)
  }

  @Test func realTimeEvaluationRuns() throws {
    let model = try client.loadedModel(text)
    let connection = try client.connection()
    let name = "evaluateRealTimeWithModel:options:request:error:"
    let call = try client.method(
      connection, name,
      as: (@convention(c) (ID?, ID?, ID?, ID?, ID?, UnsafeMutablePointer<ID?>?) -> Bool).self)
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    try client.pool { () throws in
      let request = try client.request(inputs: [(0, x)], outputs: [(0, y)])
      #expect(call(connection, try client.selector(name), model, nil, request, nil))
    }
    #expect(client.world.counters.evals == 1)
  }

  @Test func hashesNameModelsInMemory() throws {
    let model = try client.memoryModel(text)
    try client.setURL(model, try makeModelDirectory(text))
    try client.memory("compile", model)
    let connection = try client.connection()
    let hash = try client.string(
      try #require(try client.text(of: model, "hexStringIdentifier")))
    let exists = "compiledModelExistsMatchingHash:"
    let purge = "purgeCompiledModelMatchingHash:"
    let ask = try client.method(
      connection, exists, as: (@convention(c) (ID?, ID?, ID?) -> Bool).self)
    #expect(ask(connection, try client.selector(exists), hash))
    try client.method(connection, purge, as: (@convention(c) (ID?, ID?, ID?) -> Void).self)(
      connection, try client.selector(purge), hash)
    #expect(!ask(connection, try client.selector(exists), hash))
  }

  @Test func mappingTakesAsManySurfacesAsTheDriverHasSlots() throws {
    let connection = try client.connection()
    let name = "mapIOSurfacesWithModel:request:cacheInference:error:"
    let map = try client.method(
      connection, name,
      as: (@convention(c) (ID?, ID?, ID?, ID?, Bool, UnsafeMutablePointer<ID?>?) -> Bool).self)
    let model = try client.loadedModel(text)
    let surface = try client.flatSurface(128)
    try client.pool { () throws in
      var error: ID?
      let few = try client.request(inputs: [(0, surface)], outputs: [(0, surface)])
      #expect(map(connection, try client.selector(name), model, few, true, &error))
      let many = try client.request(
        inputs: (0..<128).map { ($0, surface) }, outputs: [(0, surface)])
      #expect(!map(connection, try client.selector(name), model, many, true, &error))
      let reported = try client.reported(error)
      #expect(reported.code == 13 && reported.text.hasSuffix("(0x12)"))
    }
  }

  @Test func aFullQueueIsAnOverflow() throws {
    var profile = Profile.standard
    profile.limits.queueDepthMax = 0
    let client = try makeClient(profile: profile)
    let model = try client.loadedModel(text)
    let error = try #require(throws: Reported.self) { try evaluate(client, model) }
    #expect(error.code == 5)
    #expect(try makeClient().number(client.loadedModel(text), "queueDepth") & 0xff == 0)
  }

  /// A block as the compiler lays it out: class, flags, implementation, descriptor, one capture.
  private struct Literal {
    var isa: ID?
    var flags: UInt32 = 0
    var reserved: UInt32 = 0
    var invoke: ID
    var descriptor: UnsafeMutablePointer<(UInt, UInt)>
    var seen: UnsafeMutablePointer<[Bool]>
  }

  @Test func completionHandlersAreCalledBeforeTheCallReturns() throws {
    let seen = UnsafeMutablePointer<[Bool]>.allocate(capacity: 1)
    let descriptor = UnsafeMutablePointer<(UInt, UInt)>.allocate(capacity: 1)
    seen.initialize(to: [])
    descriptor.initialize(to: (0, UInt(MemoryLayout<Literal>.size)))
    defer {
      seen.deinitialize(count: 1)
      seen.deallocate()
      descriptor.deallocate()
    }
    let invoke: @convention(c) (ID, Bool, ID?) -> Void = { block, isDone, error in
      let literal = block.load(as: Literal.self)
      literal.seen.pointee += [isDone, error == nil]
    }
    let name = "setCompletionHandler:"
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    let model = try client.loadedModel(text)
    try client.pool { () throws in
      let request = try #require(try client.request(inputs: [(0, x)], outputs: [(0, y)]))
      let set = try client.method(
        request, name, as: (@convention(c) (ID?, ID?, ID?) -> Void).self)
      var literal = Literal(
        invoke: unsafeBitCast(invoke, to: ID.self), descriptor: descriptor, seen: seen)
      let selector = try client.selector(name)
      withUnsafeMutablePointer(to: &literal) { set(request, selector, $0) }
      // The request has a copy of its own.
      literal.invoke = ID(bitPattern: 16)!
      try client.evaluate(model, request)
      #expect(seen.pointee == [true, true])
      try client.perform("unload", model)
      #expect(throws: Reported.self) { try client.evaluate(model, request) }
      // A model that is not loaded never reaches the request.
      #expect(seen.pointee == [true, true])
    }
  }

  @Test func maintenanceForgetsModelsThatHaveGone() throws {
    let directory = try makeModelDirectory(text)
    let kept = try client.model(try makeModelDirectory(text), key: "k")
    let model = try client.model(directory, key: "1")
    let options = try client.milOptions()
    for model in [kept, model] { try client.perform("compile", model, options: options) }
    Files.removeTree(directory)
    #expect(try client.compiledModelExists(model))
    client.world.wait(seconds: 86_400)
    try client.perform("load", kept, options: options)
    #expect(!(try client.compiledModelExists(model)))
    #expect(try client.compiledModelExists(kept))
    #expect(client.world.counters.compiles == 2)
  }
}

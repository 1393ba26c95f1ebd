import ANEProfiles
import Synchronization
import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Requests that wait for events and signal others, and what requests are told of the engine's time.
struct SharedEventTests {
  private let text = sumProgram("f(x:2x32)->(y:2x32)")
  private let factory =
    "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:"

  /// A block without captures but the place of its answers, which live for ever.
  private struct Literal {
    var isa: ID?
    var flags: UInt32 = 1 << 28
    var reserved: UInt32 = 0
    var invoke: ID
    var descriptor: UnsafeMutablePointer<(UInt, UInt)>
    var answers: UnsafeMutablePointer<Atomic<Int32>>
  }

  /// The handler, and how often it was told of success (by tens) and of failure (by ones).
  private func handler() -> (block: ID, answers: UnsafeMutablePointer<Atomic<Int32>>) {
    let invoke: @convention(c) (ID, Bool, ID?) -> Void = { block, isDone, error in
      let answers = block.load(as: Literal.self).answers
      answers.pointee.add(isDone && error == nil ? 10 : 1, ordering: .releasing)
    }
    let descriptor = UnsafeMutablePointer<(UInt, UInt)>.allocate(capacity: 1)
    descriptor.initialize(to: (0, UInt(MemoryLayout<Literal>.size)))
    let answers = UnsafeMutablePointer<Atomic<Int32>>.allocate(capacity: 1)
    answers.initialize(to: Atomic(0))
    let literal = UnsafeMutablePointer<Literal>.allocate(capacity: 1)
    literal.initialize(
      to: Literal(
        invoke: unsafeBitCast(invoke, to: ID.self), descriptor: descriptor, answers: answers))
    return (ID(literal), answers)
  }

  private func count(_ answers: UnsafeMutablePointer<Atomic<Int32>>) -> Int32 {
    answers.pointee.load(ordering: .acquiring)
  }

  private func event(_ client: Client) throws -> EventObject {
    let made = try #require(try client.get(try client.cls("IOSurfaceSharedEvent"), "new"))
    guard case .live(let object) = ObjectTable.lookup(made) else { throw Missing() }
    return try #require(object as? EventObject)
  }

  private struct Missing: Error {}

  /// Inside a pool.
  private func events(_ client: Client, signals: [ID], waits: [ID]) throws -> ID? {
    for one in signals + waits { try client.retain(one) }
    let lists = [try client.array(signals), try client.array(waits)]
    defer { for list in lists { try? client.release(list) } }
    let cls = try client.cls("_ANESharedEvents")
    let name = "sharedEventsWithSignalEvents:waitEvents:"
    let make = try client.method(
      cls, name, as: (@convention(c) (ID?, ID?, ID?, ID?) -> ID?).self)
    return make(cls, try client.selector(name), lists[0], lists[1])
  }

  private func signal(_ client: Client, _ event: ID?, _ value: UInt64) throws -> ID? {
    let cls = try client.cls("_ANESharedSignalEvent")
    let name = "signalEventWithValue:symbolIndex:eventType:sharedEvent:"
    let make = try client.method(
      cls, name, as: (@convention(c) (ID?, ID?, UInt64, UInt32, Int64, ID?) -> ID?).self)
    return make(cls, try client.selector(name), value, 0, 0, event)
  }

  private func wait(_ client: Client, _ event: ID?, _ value: UInt64) throws -> ID? {
    let cls = try client.cls("_ANESharedWaitEvent")
    let name = "waitEventWithValue:sharedEvent:"
    let make = try client.method(
      cls, name, as: (@convention(c) (ID?, ID?, UInt64, ID?) -> ID?).self)
    return make(cls, try client.selector(name), value, event)
  }

  /// Inside a pool: one input, one output, and what else a request may have.
  private func request(
    _ client: Client, _ x: ID, _ y: ID, statistics: ID? = nil, events: ID? = nil
  ) throws -> ID? {
    let cls = try client.cls("_ANERequest")
    let arguments = [
      try client.array([try client.wrapped(x)]), try client.array([try client.integer(0)]),
      try client.array([try client.wrapped(y)]), try client.array([try client.integer(0)]),
    ]
    let procedure = try client.integer(0)
    defer { for argument in arguments + [procedure] { try? client.release(argument) } }
    guard events != nil else {
      let make = try client.method(
        cls, factory,
        as: (@convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?) -> ID?).self)
      return make(
        cls, try client.selector(factory), arguments[0], arguments[1], arguments[2], arguments[3],
        nil, statistics, procedure)
    }
    let name = "\(factory)sharedEvents:"
    let make = try client.method(
      cls, name,
      as: (@convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?) -> ID?).self)
    return make(
      cls, try client.selector(name), arguments[0], arguments[1], arguments[2], arguments[3], nil,
      statistics, procedure, events)
  }

  private func set(_ client: Client, _ handler: ID, of request: ID) throws {
    let name = "setCompletionHandler:"
    try client.method(request, name, as: (@convention(c) (ID?, ID?, ID?) -> Void).self)(
      request, try client.selector(name), handler)
  }

  @Test func aRequestWaitsForItsEventsAndSignalsOthers() throws {
    let client = try makeClient(profile: .m5macOS26)
    let model = try client.loadedModel(text)
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    let (before, after) = (try event(client), try event(client))
    let (block, answers) = handler()
    try client.pool { () throws in
      let wait = try #require(try wait(client, before.address, 3))
      let signal = try #require(try signal(client, after.address, 7))
      let events = try #require(try events(client, signals: [signal], waits: [wait]))
      let request = try #require(try request(client, x, y, events: events))
      // Nobody would learn when it is done.
      let error = try #require(throws: Reported.self) { try client.evaluate(model, request) }
      #expect(error.text.contains("completion handler"))
      try set(client, block, of: request)
      try client.evaluate(model, request)
    }
    #expect(client.world.counters.evals == 0)
    #expect(!after.reaches(7, within: 0.02))
    before.signal(3)
    #expect(after.reaches(7, within: 20))
    #expect(client.world.counters.evals == 1)
    // The handler comes last; a client that loses its request meanwhile loses nothing.
    for _ in 0..<10_000 where count(answers) == 0 { usleep(1_000) }
    #expect(count(answers) == 10)
  }

  @Test func eventsFailWithModelsInMemory() throws {
    let client = try makeClient(profile: .m5macOS26)
    let event = try event(client)
    try client.pool { () throws in
      let signal = try #require(try signal(client, event.address, 1))
      let events = try #require(try events(client, signals: [signal], waits: []))
      let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
      let request = try #require(try request(client, x, y, events: events))
      let model = try client.memoryModel(text)
      try client.setURL(model, try makeModelDirectory(text))
      try client.memory("load", model)
      let name = "evaluateWithQoS:options:request:error:"
      let call = try client.method(
        model, name,
        as: (@convention(c) (ID?, ID?, UInt32, ID?, ID?, UnsafeMutablePointer<ID?>?) -> Bool).self)
      var error: ID?
      #expect(!call(model, try client.selector(name), 21, nil, request, &error))
      #expect(try client.reported(error).code == 8)
    }
    #expect(client.world.counters.evals == 0)
  }

  @Test func anEventMustAnswerItsPort() throws {
    let client = try makeClient(profile: .m5macOS26)
    try client.pool { () throws in
      let number = try client.integer(1)
      #expect(try signal(client, number, 1) == nil)
      try client.release(number)
    }
    #expect(client.world.misuse.contains { $0.contains("eventPort") })
  }

  // MARK: Times

  /// The nanoseconds that a request was told, with the mask at the load and after it.
  private func told(_ profile: Profile, atLoad: Int, after: UInt32) throws -> UInt64 {
    let client = try makeClient(profile: profile)
    let model = try client.model(try makeModelDirectory(text), key: "1")
    let options = try client.dictionary([
      (try client.string("kANEFModelType"), try client.string("kANEFModelMIL")),
      (try client.string("kANEFPerformanceStatsMask"), try client.integer(atLoad)),
    ])
    try client.perform("load", model, options: options)
    let name = "setPerfStatsMask:"
    try client.method(model, name, as: (@convention(c) (ID?, ID?, UInt32) -> Void).self)(
      model, try client.selector(name), after)
    let surface = try client.flatSurface(64)
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    try client.pool { () throws in
      let cls = try client.cls("_ANEPerformanceStatsIOSurface")
      let name = "objectWithIOSurface:statType:"
      let make = try client.method(
        cls, name, as: (@convention(c) (ID?, ID?, ID?, Int64) -> ID?).self)
      let wrapped = try #require(make(cls, try client.selector(name), surface, 0))
      try client.retain(wrapped)
      let statistics = try client.array([wrapped])
      defer { try? client.release(statistics) }
      let request = try #require(try request(client, x, y, statistics: statistics))
      try client.evaluate(model, request)
    }
    return try client.bytes(of: surface) { $0.load(as: UInt64.self) }
  }

  @Test func timesAreToldWhereAskedForTwice() throws {
    var profile = Profile.standard
    #expect(try told(profile, atLoad: 0xF, after: 0xF) == 0)
    profile.conduct.tellsHardwareTimes = true
    #expect(try told(profile, atLoad: 0, after: 0xF) == 0)
    #expect(try told(profile, atLoad: 0xF, after: 0) == 0)
    let nanoseconds = try told(profile, atLoad: 0xF, after: 0xF)
    #expect(nanoseconds >= UInt64(profile.cost.dispatchSeconds * 1e9))
  }

  @Test func statisticsMustBeSurfaces() throws {
    let client = try makeClient()
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(128))
    try client.pool { () throws in
      let cls = try client.cls("_ANEPerformanceStats")
      let name = "statsWithHardwareExecutionNS:"
      let make = try client.method(
        cls, name, as: (@convention(c) (ID?, ID?, UInt64) -> ID?).self)
      let bare = try #require(make(cls, try client.selector(name), 99))
      #expect(try client.number(bare, "hwExecutionTime") == 99)
      try client.retain(bare)
      let list = try client.array([bare])
      defer { try? client.release(list) }
      #expect(try request(client, x, y, statistics: list) == nil)
    }
    #expect(client.world.misuse.contains { $0.contains("statType") })
  }

  @Test func aProgramMayBeTooLarge() throws {
    var profile = Profile.standard
    profile.limits.programBytesMax = -1
    let client = try makeClient(profile: profile)
    let error = try #require(throws: Reported.self) { _ = try client.loadedModel(text) }
    #expect(error.code == 6 && error.text.hasSuffix("(0x10004)"))
    #expect(client.world.counters.loadedPrograms == 0)
  }
}

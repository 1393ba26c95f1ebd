/// Shared events: counters that a request waits for and counts up when it is done, and the classes that put
/// them into a request. It knows nothing of engines.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// IOSurfaceSharedEvent: a counter that threads wait for. Metal's, which there is none of here, is one too.
final class EventObject: Instance, @unchecked Sendable {
  override class var kind: String { "a shared event (an object that answers eventPort)" }

  private static let ports = Atomic<UInt32>(0x1000)
  let port = EventObject.ports.wrappingAdd(1, ordering: .relaxed).newValue
  private let counter = Mutex<UInt64>(0)

  var value: UInt64 {
    get { counter.withLock { $0 } }
    set { counter.withLock { $0 = newValue } }
  }

  /// Counts up to a value; never back.
  func signal(_ value: UInt64) { counter.withLock { $0 = max($0, value) } }

  private static let pollMicroseconds: UInt32 = 200

  /// Whether the counter got there in time.
  func reaches(_ value: UInt64, within seconds: Double) -> Bool {
    var left = seconds * 1e6
    while self.value < value {
      guard left > 0 else { return false }
      usleep(EventObject.pollMicroseconds)
      left -= Double(EventObject.pollMicroseconds)
    }
    return true
  }
}

/// An event with the value that is waited for, or given.
final class EventStepObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANESharedSignalEvent or _ANESharedWaitEvent" }

  let event: EventObject
  let value: UInt64

  init(_ event: EventObject, _ value: UInt64, isa: ObjectClass, world: World) {
    self.event = event.retained()
    self.value = value
    super.init(isa: isa, world: world)
  }

  override func dispose() { event.release() }
}

/// _ANESharedEvents: what a request waits for, and what it signals.
final class EventsObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANESharedEvents" }

  let signals: [EventStepObject]
  let waits: [EventStepObject]

  init(
    signals: [EventStepObject], waits: [EventStepObject], isa: ObjectClass, world: World
  ) {
    self.signals = signals.map { $0.retained() }
    self.waits = waits.map { $0.retained() }
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    for step in signals + waits { step.release() }
  }

  /// As long as a load waits for its turn.
  private static let secondsMax = 30.0

  func wait() -> Bool {
    waits.allSatisfy { $0.event.reaches($0.value, within: EventsObject.secondsMax) }
  }

  func signal() {
    for step in signals { step.event.signal(step.value) }
  }
}

enum SharedEventClasses {
  static let rows = [event, signalEvent, waitEvent, events]

  private static let event = ClassRow(
    name: "IOSurfaceSharedEvent", superclass: "NSObject",
    classMethods: [
      Method(
        "new", "@@:",
        { receiver, _ in
          guard let (cls, world) = Call("+[IOSurfaceSharedEvent new]").home(receiver) else {
            return nil
          }
          return EventObject(isa: cls, world: world).address
        } as @convention(c) (Pointer?, Pointer?) -> Pointer?)
    ],
    instanceMethods: [
      Method(
        "eventPort", "I@:",
        { id, _ in object(id, "eventPort")?.port ?? 0 }
          as @convention(c) (Pointer?, Pointer?) -> UInt32),
      Method(
        "signaledValue", "Q@:",
        { id, _ in object(id, "signaledValue")?.value ?? 0 }
          as @convention(c) (Pointer?, Pointer?) -> UInt64),
      Method(
        "setSignaledValue:", "v@:Q",
        { id, _, value in object(id, "setSignaledValue:")?.value = value }
          as @convention(c) (Pointer?, Pointer?, UInt64) -> Void),
    ])

  private static func object(_ id: Pointer?, _ message: String) -> EventObject? {
    Call("-[IOSurfaceSharedEvent \(message)]").object(id, as: "the receiver")
  }

  private static let signalEvent = ClassRow(
    name: "_ANESharedSignalEvent", superclass: "NSObject",
    classMethods: [
      Method(
        "signalEventWithValue:symbolIndex:eventType:sharedEvent:", "@@:QIq@",
        { receiver, _, value, _, _, event in
          step("_ANESharedSignalEvent signalEventWithValue:…", receiver, value, event)
        }
          as @convention(c) (Pointer?, Pointer?, UInt64, UInt32, Int64, Pointer?) -> Pointer?)
    ])

  private static let waitEvent = ClassRow(
    name: "_ANESharedWaitEvent", superclass: "NSObject",
    classMethods: [
      Method(
        "waitEventWithValue:sharedEvent:", "@@:Q@",
        { receiver, _, value, event in
          step("_ANESharedWaitEvent waitEventWithValue:…", receiver, value, event)
        } as @convention(c) (Pointer?, Pointer?, UInt64, Pointer?) -> Pointer?),
      Method(
        "waitEventWithValue:sharedEvent:eventType:", "@@:Q@Q",
        { receiver, _, value, event, _ in
          step("_ANESharedWaitEvent waitEventWithValue:…", receiver, value, event)
        } as @convention(c) (Pointer?, Pointer?, UInt64, Pointer?, UInt64) -> Pointer?),
    ])

  private static let events = ClassRow(
    name: "_ANESharedEvents", superclass: "NSObject",
    classMethods: [
      Method(
        "sharedEventsWithSignalEvents:waitEvents:", "@@:@@",
        { receiver, _, signals, waits in
          let call = Call("+[_ANESharedEvents sharedEventsWithSignalEvents:waitEvents:]")
          guard let (cls, world) = call.home(receiver),
            let signals = steps(call, signals, "signalEvents"),
            let waits = steps(call, waits, "waitEvents")
          else { return nil }
          return EventsObject(signals: signals, waits: waits, isa: cls, world: world)
            .autoreleased()
        } as @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?) -> Pointer?)
    ])

  private static func step(
    _ message: String, _ receiver: Pointer?, _ value: UInt64, _ event: Pointer?
  ) -> Pointer? {
    let call = Call("+[\(message)]")
    guard let (cls, world) = call.home(receiver),
      let event = call.object(event, as: "sharedEvent", EventObject.self)
    else { return nil }
    return EventStepObject(event, value, isa: cls, world: world).autoreleased()
  }

  private static func steps(_ call: Call, _ array: Pointer?, _ name: String) -> [EventStepObject]? {
    guard let array = call.optional(array, as: name, ArrayObject.self) else { return nil }
    guard let array else { return [] }
    if let steps = array.objects(EventStepObject.self) { return steps }
    call.misuse("\(name) holds something else than \(EventStepObject.kind)s")
    return nil
  }
}

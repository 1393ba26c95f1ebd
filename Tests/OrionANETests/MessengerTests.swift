import ANEProfiles
import ANESimulator
import Synchronization
import Testing

@testable import OrionANE

/// Messages through a runtime that was not written for this: GCC's.
@Suite(.serialized, .enabled(if: GCCRuntime.shared != nil, "libobjc4 is not installed"))
struct MessengerTests {
  typealias Reference = FunctionTable.Reference
  typealias ErrorSlot = UnsafeMutablePointer<Reference?>

  static let compile = MessageRow(
    .instance, "_FakeANEModel", "compileWithQoS:options:error:", "C@:I@^@")
  static let make = MessageRow(.type, "_FakeANEModel", "make:", "@@:@")

  typealias Compile = @convention(c) (Reference, Reference, UInt32, Reference?, ErrorSlot) -> UInt8
  typealias Make = @convention(c) (Reference, Reference, Reference) -> Reference?

  static let compileBody: Compile = { receiver, _, priority, _, slot in
    guard priority == 21 else {
      slot.pointee = receiver
      return 0
    }
    return 1
  }
  static let makeBody: Make = { _, _, argument in argument }

  /// Registered once a process.
  static let isRegistered: Bool = {
    guard let runtime = GCCRuntime.shared else { return false }
    runtime.makeClass(
      "_FakeANEModel",
      instance: [(compile.selector, "C36@0:8I16@20^@28", pointer(compileBody))],
      type: [("make:", "@24@0:8@16", pointer(makeBody))])
    return true
  }()

  static func pointer<F>(_ function: F) -> Reference {
    unsafeBitCast(function, to: Reference.self)
  }

  let directory: TemporaryDirectory
  let world: World
  let runtime: GCCRuntime

  init() throws {
    directory = try TemporaryDirectory()
    world = try World(profile: .standard, cacheDirectory: directory.path)
    runtime = try #require(GCCRuntime.shared)
    try #require(Self.isRegistered)
  }

  func messenger(_ rows: [MessageRow], failCall: UInt64 = 0) throws -> Messenger {
    let log = CallLog(trace: true, failCall: failCall)
    let foreign = try Foreign(runtime.library(world), log: log)
    return try foreign.enter { () throws(OrionError) in try Messenger(foreign, rows: rows) }
  }

  @Test func sendsToInstances() throws {
    let messenger = try messenger([Self.compile])
    let object = try #require(runtime.makeInstance(of: "_FakeANEModel"))
    for (priority, expected) in [(21, 1), (9, 0)] as [(UInt32, UInt8)] {
      var fault: Reference?
      let result = try messenger.send(Self.compile, to: object, as: Compile.self) {
        $0($1, $2, priority, nil, &fault)
      }
      #expect(result == expected)
      #expect((fault == object) == (expected == 0))
    }
  }

  @Test func sendsToClassesAndKeepsResults() throws {
    let messenger = try messenger([Self.make])
    let object = try #require(runtime.makeInstance(of: "_FakeANEModel"))
    let retains = RetainTally.retains.load(ordering: .relaxed)
    let releases = RetainTally.releases.load(ordering: .relaxed)
    do {
      let made = try messenger.send(Self.make, as: Make.self) { $0($1, $2, object) }
      let kept = try messenger.foreign.retained(made, by: Self.make.name)
      #expect(kept.reference == object)
      #expect(RetainTally.retains.load(ordering: .relaxed) == retains + 1)
      let owned = try messenger.foreign.owned(made, by: "a Create function")
      #expect(owned.reference == object)
      #expect(RetainTally.retains.load(ordering: .relaxed) == retains + 1)
    }
    #expect(RetainTally.releases.load(ordering: .relaxed) == releases + 2)
  }

  @Test func nothingIsAnErrorThatNamesTheCall() throws {
    let messenger = try messenger([Self.make])
    let error = #expect(throws: OrionError.self) {
      try messenger.foreign.retained(nil, by: Self.make.name)
    }
    #expect(error?.message == "+[_FakeANEModel make:] returned nothing; expected an object")
  }

  @Test func namesEveryMissingOrChangedMessage() throws {
    let rows = [
      MessageRow(.instance, "_FakeANEModel", "compileWithQoS:options:error:", "B@:Q@^@"),
      MessageRow(.instance, "_FakeANEModel", "loadWithQoS:", "B@:I"),
      MessageRow(.type, "_NoSuchANEClass", "make:", "@@:@"), Self.make,
    ]
    let error = #expect(throws: OrionError.self) { try messenger(rows) }
    let message = try #require(error?.message)
    #expect(
      message.contains(
        "-[_FakeANEModel compileWithQoS:options:error:]: expected type B@:Q@^@, found C@:I@^@"))
    #expect(
      message.contains("-[_FakeANEModel loadWithQoS:]: expected type B@:I, found no such method"))
    #expect(message.contains("objc_getClass(\"_NoSuchANEClass\") found no such class"))
    #expect(error?.kind == .device)
  }

  @Test func anUnknownMessageIsRefused() throws {
    let messenger = try messenger([Self.make])
    let error = #expect(throws: OrionError.self) {
      try messenger.send(Self.compile, as: Make.self) { call, receiver, selector in
        call(receiver, selector, receiver)
      }
    }
    #expect(error?.kind == .internal)
  }

  @Test func aFailedLookUpNamesItself() throws {
    let error = #expect(throws: OrionError.self) { try messenger([Self.make], failCall: 1) }
    #expect(error?.message.contains("objc_getClass(\"_FakeANEModel\")") == true)
  }
}

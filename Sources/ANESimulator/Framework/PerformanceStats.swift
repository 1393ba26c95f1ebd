/// _ANEPerformanceStats and the surfaces that requests take for them: what the engine says of its own time.
/// On most machines it says nothing to programs that are not Apple's.

final class StatsObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEPerformanceStats" }

  let nanoseconds: UInt64

  init(nanoseconds: UInt64, isa: ObjectClass, world: World) {
    self.nanoseconds = nanoseconds
    super.init(isa: isa, world: world)
  }
}

/// A surface of a request that receives the engine's time. The first eight bytes hold it here; how a Mac lays
/// them out is not known.
final class StatsSurfaceObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEPerformanceStatsIOSurface" }

  let surface: Surface
  let type: Int64

  init(_ surface: Surface, type: Int64, isa: ObjectClass, world: World) {
    self.surface = surface.retained()
    self.type = type
    super.init(isa: isa, world: world)
  }

  override func dispose() { surface.release() }

  func write(nanoseconds: UInt64) {
    guard surface.geometry.allocationBytes >= 8 else { return }
    surface.memory.storeBytes(of: nanoseconds, as: UInt64.self)
    surface.touch()
  }
}

enum PerformanceStatsClass {
  static let row = ClassRow(
    name: "_ANEPerformanceStats", superclass: "NSObject",
    classMethods: [
      Method(
        "statsWithHardwareExecutionNS:", "@@:Q",
        { receiver, _, nanoseconds in
          make(receiver, "statsWithHardwareExecutionNS:") { nanoseconds }
        } as @convention(c) (Pointer?, Pointer?, UInt64) -> Pointer?),
      Method(
        "statsWithRequestPerformanceBuffer:statsBufferSize:", "@@:^v^I",
        { receiver, _, buffer, size in
          guard let buffer, let size, size.pointee >= 8 else { return nil }
          return make(receiver, "statsWithRequestPerformanceBuffer:statsBufferSize:") {
            buffer.loadUnaligned(as: UInt64.self)
          }
        }
          as @convention(c) (Pointer?, Pointer?, Pointer?, UnsafeMutablePointer<UInt32>?)
          -> Pointer?),
      Method(
        "driverMaskForANEFMask:", "I@:I",
        { _, _, mask in mask & ModelState.statsMaskKnown }
          as @convention(c) (Pointer?, Pointer?, UInt32) -> UInt32),
    ],
    instanceMethods: [
      Method(
        "hwExecutionTime", "Q@:",
        { id, _ in
          Call("-[_ANEPerformanceStats hwExecutionTime]")
            .object(id, as: "the receiver", StatsObject.self)?.nanoseconds ?? 0
        } as @convention(c) (Pointer?, Pointer?) -> UInt64),
      Method("perfCounterData", "@@:", nothing), Method("pStatsRawData", "@@:", nothing),
      Method("performanceCounters", "@@:", nothing),
      Method(
        "stringForPerfCounter:", "@@:i",
        { _, _, _ in nil } as @convention(c) (Pointer?, Pointer?, Int32) -> Pointer?),
    ])

  static let surfaceRow = ClassRow(
    name: "_ANEPerformanceStatsIOSurface", superclass: "NSObject",
    classMethods: [
      Method(
        "objectWithIOSurface:statType:", "@@:^{__IOSurface=}q",
        { receiver, _, surface, type in
          let call = Call("+[_ANEPerformanceStatsIOSurface objectWithIOSurface:statType:]")
          guard let (cls, world) = call.home(receiver),
            let surface = call.object(surface, as: "the surface", Surface.self)
          else { return nil }
          return StatsSurfaceObject(surface, type: type, isa: cls, world: world).autoreleased()
        } as @convention(c) (Pointer?, Pointer?, Pointer?, Int64) -> Pointer?)
    ],
    instanceMethods: [
      Method(
        "statType", "q@:",
        { id, _ in
          Call("-[_ANEPerformanceStatsIOSurface statType]")
            .object(id, as: "the receiver", StatsSurfaceObject.self)?.type ?? 0
        } as @convention(c) (Pointer?, Pointer?) -> Int64)
    ])

  /// The counters behind the time were never seen.
  private static let nothing: @convention(c) (Pointer?, Pointer?) -> Pointer? = { _, _ in nil }

  private static func make(
    _ receiver: Pointer?, _ message: String, _ nanoseconds: () -> UInt64
  ) -> Pointer? {
    guard let (cls, world) = Call("+[_ANEPerformanceStats \(message)]").home(receiver) else {
      return nil
    }
    return StatsObject(nanoseconds: nanoseconds(), isa: cls, world: world).autoreleased()
  }
}

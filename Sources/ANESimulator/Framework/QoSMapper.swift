/// _ANEQoSMapper: quality-of-service values and the queues they are served by.

enum QoSMapperClass {
  /// Loading at this one takes an entitlement.
  static let realTime: UInt32 = 0

  /// A load at real time is refused.
  static func check(_ qos: UInt32, in method: String) throws(Failure) {
    guard qos == realTime else { return }
    throw Failure(.priority, in: method, "quality of service 0 is real time; use another, as 21")
  }

  static let row = ClassRow(
    name: "_ANEQoSMapper", superclass: "NSObject",
    classMethods: [
      Method("aneRealTimeTaskQoS", "I@:", { _, _ in realTime } as Value),
      Method("aneUserInteractiveTaskQoS", "I@:", { _, _ in 33 } as Value),
      Method("aneUserInitiatedTaskQoS", "I@:", { _, _ in 25 } as Value),
      Method("aneDefaultTaskQoS", "I@:", { _, _ in 21 } as Value),
      Method("aneUtilityTaskQoS", "I@:", { _, _ in 17 } as Value),
      Method("aneBackgroundTaskQoS", "I@:", { _, _ in 9 } as Value),
      Method(
        "queueIndexForQoS:", "Q@:I",
        { _, _, qos in UInt64(queue(qos)) }
          as @convention(c) (Pointer?, Pointer?, UInt32) -> UInt64),
      Method(
        "programPriorityForQoS:", "i@:I",
        { _, _, qos in queue(qos) } as @convention(c) (Pointer?, Pointer?, UInt32) -> Int32),
    ])

  private typealias Value = @convention(c) (Pointer?, Pointer?) -> UInt32

  /// Seen for real time (2) and for values that are none of the above (5); the order between is
  /// conjecture.
  private static func queue(_ qos: UInt32) -> Int32 {
    switch qos {
    case realTime: 2
    case 33: 3
    case 25: 4
    case 17: 6
    case 9: 7
    default: 5
    }
  }
}

/// _ANEDeviceInfo: what the framework says of the machine, from the profile.

enum DeviceInfoClass {
  static let name = "_ANEDeviceInfo"

  static let row = ClassRow(
    name: name, superclass: "NSObject",
    classMethods: [
      Method("hasANE", "B@:", { _, _ in true } as Flag),
      Method("isVirtualMachine", "B@:", { _, _ in false } as Flag),
      Method("numANEs", "I@:", { _, _ in 1 } as Number),
      Method("numANECores", "I@:", { _, _ in 16 } as Number),
      Method(
        "aneArchitectureType", "@@:",
        { receiver, _ in
          text(receiver, "aneArchitectureType") { $0.profile.architecture }
        } as Get),
      Method(
        "productName", "@@:",
        { receiver, _ in text(receiver, "productName") { _ in "macOS" } } as Get),
      Method(
        "buildVersion", "@@:",
        { receiver, _ in text(receiver, "buildVersion") { $0.profile.osBuild } } as Get),
    ])

  private typealias Flag = @convention(c) (Pointer?, Pointer?) -> Bool
  private typealias Number = @convention(c) (Pointer?, Pointer?) -> UInt32
  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?

  private static func text(_ receiver: Pointer?, _ message: String, _ text: (World) -> String)
    -> Pointer?
  {
    guard let (_, world) = Call("+[\(name) \(message)]").home(receiver) else { return nil }
    return StringObject(text(world), world: world).autoreleased()
  }
}

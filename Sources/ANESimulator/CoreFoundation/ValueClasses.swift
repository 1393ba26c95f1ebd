/// The classes of CoreFoundation's values, which are Objective-C classes too, and the messages
/// clients send them.

enum ValueClasses {
  static let rows: [ClassRow] = [
    ClassRow(
      name: "NSString", superclass: "NSObject",
      instanceMethods: [
        Method(
          "length", "Q@:",
          { id, _ in string(id, "length").map { UInt($0.text.utf16.count) } ?? 0 } as Count),
        Method("UTF8String", "*@:", { id, _ in string(id, "UTF8String")?.utf8Pointer } as Get),
      ]),
    ClassRow(name: "NSMutableString", superclass: "NSString"),
    ClassRow(name: "__NSCFString", superclass: "NSMutableString"),
    ClassRow(name: "__NSCFConstantString", superclass: "__NSCFString"),
    ClassRow(
      name: "NSData", superclass: "NSObject",
      instanceMethods: [
        Method(
          "length", "Q@:", { id, _ in data(id, "length").map { UInt($0.count) } ?? 0 } as Count),
        Method("bytes", "^v@:", { id, _ in data(id, "bytes")?.bytes } as Get),
      ]),
    ClassRow(name: "NSMutableData", superclass: "NSData"),
    ClassRow(name: "__NSCFData", superclass: "NSMutableData"),
    ClassRow(name: "NSValue", superclass: "NSObject"),
    ClassRow(name: "NSNumber", superclass: "NSValue"),
    ClassRow(name: "__NSCFNumber", superclass: "NSNumber"),
    ClassRow(name: "__NSCFBoolean", superclass: "NSNumber"),
    ClassRow(
      name: "NSArray", superclass: "NSObject",
      instanceMethods: [
        Method(
          "count", "Q@:",
          { id, _ in array(id, "count").map { UInt($0.elements.count) } ?? 0 } as Count)
      ]),
    ClassRow(name: "NSMutableArray", superclass: "NSArray"),
    ClassRow(name: "__NSCFArray", superclass: "NSMutableArray"),
    ClassRow(
      name: "NSDictionary", superclass: "NSObject",
      instanceMethods: [
        Method(
          "count", "Q@:",
          { id, _ in dictionary(id, "count").map { UInt($0.pairs.count) } ?? 0 } as Count),
        Method(
          "objectForKey:", "@@:@",
          { id, _, key in dictionary(id, "objectForKey:")?.value(forKey: key) } as Find),
      ]),
    ClassRow(name: "NSMutableDictionary", superclass: "NSDictionary"),
    ClassRow(name: "__NSCFDictionary", superclass: "NSMutableDictionary"),
    ClassRow(name: "NSURL", superclass: "NSObject"),
    ClassRow(
      name: "NSError", superclass: "NSObject",
      instanceMethods: [
        Method("code", "q@:", { id, _ in error(id, "code")?.code ?? 0 } as Integer),
        Method("domain", "@@:", { id, _ in error(id, "domain")?.domain.address } as Get),
        Method("userInfo", "@@:", { id, _ in error(id, "userInfo")?.userInfo.address } as Get),
        Method(
          "localizedDescription", "@@:",
          { id, _ in
            error(id, "localizedDescription")?.descriptionString().autoreleased()
          } as Get),
        Method(
          "localizedFailureReason", "@@:",
          { id, _ in
            error(id, "localizedFailureReason")?.string(for: ErrorObject.failureReasonKey)?.address
          } as Get),
      ]),
    ClassRow(
      name: "NSIndexSet", superclass: "NSObject",
      instanceMethods: [
        Method(
          "count", "Q@:",
          { id, _ in indices(id, "count").map { UInt($0.indices.count) } ?? 0 } as Count),
        Method(
          "firstIndex", "Q@:",
          { id, _ in indices(id, "firstIndex")?.first ?? IndexSetObject.notFound } as Count),
        Method(
          "indexGreaterThanIndex:", "Q@:Q",
          { id, _, index in
            indices(id, "indexGreaterThanIndex:")?.next(after: index) ?? IndexSetObject.notFound
          } as @convention(c) (Pointer?, Pointer?, UInt) -> UInt),
        Method(
          "containsIndex:", "B@:Q",
          { id, _, index in indices(id, "containsIndex:")?.indices.contains(index) ?? false }
            as @convention(c) (Pointer?, Pointer?, UInt) -> Bool),
      ]),
    ClassRow(name: "IOSurface", superclass: "NSObject"),
  ]

  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
  private typealias Find = @convention(c) (Pointer?, Pointer?, Pointer?) -> Pointer?
  private typealias Count = @convention(c) (Pointer?, Pointer?) -> UInt
  private typealias Integer = @convention(c) (Pointer?, Pointer?) -> Int

  private static func string(_ id: Pointer?, _ message: String) -> StringObject? {
    Call("-[NSString \(message)]").object(id, as: "the receiver")
  }
  private static func data(_ id: Pointer?, _ message: String) -> DataObject? {
    Call("-[NSData \(message)]").object(id, as: "the receiver")
  }
  private static func array(_ id: Pointer?, _ message: String) -> ArrayObject? {
    Call("-[NSArray \(message)]").object(id, as: "the receiver")
  }
  private static func dictionary(_ id: Pointer?, _ message: String) -> DictionaryObject? {
    Call("-[NSDictionary \(message)]").object(id, as: "the receiver")
  }
  private static func error(_ id: Pointer?, _ message: String) -> ErrorObject? {
    Call("-[NSError \(message)]").object(id, as: "the receiver")
  }
  private static func indices(_ id: Pointer?, _ message: String) -> IndexSetObject? {
    Call("-[NSIndexSet \(message)]").object(id, as: "the receiver")
  }
}

/// A set of indices, ascending.
final class IndexSetObject: Instance, @unchecked Sendable {
  override class var kind: String { "an NSIndexSet" }
  /// NSNotFound.
  static let notFound = UInt(Int.max)

  let indices: [UInt]

  init(_ indices: [UInt], world: World?) {
    self.indices = Set(indices).sorted()
    super.init(isa: FoundationClasses.named("NSIndexSet"), world: world)
  }

  var first: UInt? { indices.first }
  func next(after index: UInt) -> UInt? { indices.first { $0 > index } }
}

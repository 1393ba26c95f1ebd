/// NSObject: the messages every object understands.

enum RootClass {
  static let rows = [
    ClassRow(
      name: "NSObject", superclass: nil,
      classMethods: [
        Method("class", "#@:", { receiver, _ in receiver } as Getter),
        Method("superclass", "#@:", superclass as Getter),
      ],
      instanceMethods: [
        Method("class", "#@:", isa as Getter),
        Method("superclass", "#@:", superclass as Getter),
        Method("retain", "@@:", retain as Getter),
        Method("release", "v@:", release as @convention(c) (Pointer?, Pointer?) -> Void),
        Method("autorelease", "@@:", autorelease as Getter),
        Method(
          "retainCount", "Q@:", retainCount as @convention(c) (Pointer?, Pointer?) -> UInt),
        Method("description", "@@:", description as Getter),
        Method("isEqual:", "B@:@", isEqual as Test),
        Method("isKindOfClass:", "B@:#", isKind as Test),
        Method("respondsToSelector:", "B@::", responds as Test),
      ])
  ]

  typealias Getter = @convention(c) (Pointer?, Pointer?) -> Pointer?
  typealias Test = @convention(c) (Pointer?, Pointer?, Pointer?) -> Bool

  private static let isa: Getter = { receiver, _ in
    Call("-[NSObject class]").object(receiver, as: "the receiver", Instance.self)?.isa?.address
  }
  private static let superclass: Getter = { receiver, _ in
    let call = Call("-[NSObject superclass]")
    guard let object = call.object(receiver, as: "the receiver", Instance.self) else { return nil }
    return ((object as? ObjectClass) ?? object.isa)?.superclass?.address
  }
  private static let retain: Getter = { receiver, _ in
    Call("-[NSObject retain]").object(receiver, as: "the receiver", Instance.self)?
      .retained().address
  }
  private static let release: @convention(c) (Pointer?, Pointer?) -> Void = { receiver, _ in
    Call("-[NSObject release]").object(receiver, as: "the receiver", Instance.self)?.release()
  }
  private static let autorelease: Getter = { receiver, _ in
    Call("-[NSObject autorelease]").object(receiver, as: "the receiver", Instance.self)?
      .autoreleased()
  }
  private static let retainCount: @convention(c) (Pointer?, Pointer?) -> UInt = { receiver, _ in
    let call = Call("-[NSObject retainCount]")
    return call.object(receiver, as: "the receiver", Instance.self)
      .map { UInt(ObjectTable.count(of: $0)) } ?? 0
  }
  private static let description: Getter = { receiver, _ in
    let call = Call("-[NSObject description]")
    guard let object = call.object(receiver, as: "the receiver", Instance.self) else { return nil }
    return StringObject(object.descriptionText, world: object.world).autoreleased()
  }
  private static let isEqual: Test = { receiver, _, other in
    let call = Call("-[NSObject isEqual:]")
    guard let object = call.object(receiver, as: "the receiver", Instance.self), other != nil,
      let other = call.object(other, as: "the argument", Instance.self)
    else { return false }
    return object.isEqual(to: other)
  }
  private static let isKind: Test = { receiver, _, other in
    let call = Call("-[NSObject isKindOfClass:]")
    guard let object = call.object(receiver, as: "the receiver", Instance.self),
      let other = call.object(other, as: "the argument", ObjectClass.self)
    else { return false }
    return object.isa?.isKind(of: other) ?? false
  }
  private static let responds: Test = { receiver, _, selector in
    let call = Call("-[NSObject respondsToSelector:]")
    guard let object = call.object(receiver, as: "the receiver", Instance.self),
      let selector = call.selector(selector)
    else { return false }
    return object.isa?.method(selector) != nil
  }
}

extension Call {
  /// A selector that was registered, or `nil` after the misuse was recorded.
  func selector(_ selector: Pointer?) -> Pointer? {
    guard Selectors.name(of: selector) != nil else {
      misuse("the selector is not one that sel_registerName returned")
      return nil
    }
    return selector
  }
}

/// The functions of the Objective-C runtime library that a client without headers looks up.

/// A name that `dlsym` would find, and what it would return.
struct Symbol: @unchecked Sendable {
  let name: String
  let address: Pointer

  /// A function; `body` is a `@convention(c)` function.
  init<Body>(_ name: String, _ body: Body) {
    self.name = name
    address = functionAddress(body)
  }

  /// A variable at `address`.
  init(_ name: String, variable address: Pointer) {
    self.name = name
    self.address = address
  }

  /// A constant that refers to an object: the address of a variable that holds the reference.
  init(_ name: String, constant object: Instance) {
    let variable = Pointer.allocate(byteCount: 8, alignment: 8)
    variable.storeBytes(of: object.address, as: Pointer.self)
    self.init(name, variable: variable)
  }
}

enum RuntimeFunctions {
  typealias Name = UnsafePointer<CChar>
  typealias ClassByName = @convention(c) (Name?) -> Pointer?
  typealias OneObject = @convention(c) (Pointer?) -> Pointer?
  typealias ClassAndSelector = @convention(c) (Pointer?, Pointer?) -> Pointer?

  static let symbols: [Symbol] = classes + methods + ownership

  private static let classes = [
    Symbol("objc_getClass", { look(Call("objc_getClass"), up: $0)?.address } as ClassByName),
    Symbol("objc_lookUpClass", { look(Call("objc_lookUpClass"), up: $0)?.address } as ClassByName),
    Symbol(
      "objc_getMetaClass",
      { look(Call("objc_getMetaClass"), up: $0)?.isa?.address } as ClassByName),
    Symbol(
      "object_getClass",
      { id in
        guard id != nil else { return nil }
        let object = Call("object_getClass").object(id, as: "obj", Instance.self)
        guard let meta = object as? ObjectClass, meta.isMeta else { return object?.isa?.address }
        return meta.address.load(as: Pointer?.self)
      } as OneObject),
    Symbol(
      "sel_registerName",
      { name in
        guard let name = CString.text(name) else {
          Call("sel_registerName").misuse("the name is NULL or no UTF-8")
          return nil
        }
        return Selectors.register(name)
      } as ClassByName),
    Symbol(
      "sel_getName",
      { selector in Call("sel_getName").selector(selector) } as OneObject),
  ]

  private static let methods = [
    Symbol(
      "class_getMethodImplementation",
      { id, selector in
        let call = Call("class_getMethodImplementation")
        guard let (cls, selector) = pair(call, id, selector) else { return nil }
        return cls.method(selector)?.implementation ?? Forwarder.address
      } as ClassAndSelector),
    Symbol(
      "class_respondsToSelector",
      { id, selector in
        let call = Call("class_respondsToSelector")
        guard let (cls, selector) = pair(call, id, selector) else { return 0 }
        return cls.method(selector) == nil ? 0 : 1
      } as @convention(c) (Pointer?, Pointer?) -> UInt8),
    Symbol(
      "class_getInstanceMethod",
      { id, selector in
        guard let (cls, selector) = pair(Call("class_getInstanceMethod"), id, selector) else {
          return nil
        }
        return cls.method(selector)?.handle
      } as ClassAndSelector),
    Symbol(
      "class_getClassMethod",
      { id, selector in
        guard let (cls, selector) = pair(Call("class_getClassMethod"), id, selector) else {
          return nil
        }
        return (cls.isMeta ? cls : cls.isa)?.method(selector)?.handle
      } as ClassAndSelector),
    Symbol(
      "method_getTypeEncoding",
      { handle in
        guard let handle else { return nil }
        guard let method = Method.behind(handle) else {
          Call("method_getTypeEncoding").misuse("\(handle) is no method")
          return nil
        }
        return Pointer(method.encoding)
      } as OneObject),
  ]

  private static let ownership = [
    Symbol(
      "objc_retain",
      { id in
        guard id != nil else { return nil }
        return Call("objc_retain").object(id, as: "obj", Instance.self)?.retained().address
      } as OneObject),
    Symbol(
      "objc_release",
      { id in
        guard id != nil else { return }
        Call("objc_release").object(id, as: "obj", Instance.self)?.release()
      } as @convention(c) (Pointer?) -> Void),
    Symbol(
      "objc_autorelease",
      { id in
        guard id != nil else { return nil }
        return Call("objc_autorelease").object(id, as: "obj", Instance.self)?.autoreleased()
      } as OneObject),
    Symbol(
      "objc_autoreleasePoolPush",
      { ThreadState.current.pools.push() } as @convention(c) () -> Pointer?),
    Symbol(
      "objc_autoreleasePoolPop",
      { token in
        let thread = ThreadState.current
        guard let token, thread.pools.isOpen(token) else {
          Call("objc_autoreleasePoolPop").misuse(
            "the token is of no pool that is open on this thread;"
              + " pop each pool once, on its own thread"
          )
          return
        }
        for instance in thread.pools.take(downTo: token) { instance.release() }
      } as @convention(c) (Pointer?) -> Void),
  ]

  private static func look(_ call: Call, up name: Name?) -> ObjectClass? {
    guard let name = CString.text(name) else {
      call.misuse("the name is NULL or no UTF-8")
      return nil
    }
    if let found = FoundationClasses.all[name] { return found }
    if let world = ThreadState.current.world { return world.classes[name] }
    if FrameworkClasses.rows.contains(where: { $0.name == name }) {
      call.misuse("\(name) is looked up on a thread that no world is bound to")
    }
    return nil
  }

  private static func pair(_ call: Call, _ id: Pointer?, _ selector: Pointer?)
    -> (ObjectClass, Pointer)?
  {
    guard id != nil, selector != nil else { return nil }
    guard let cls = call.object(id, as: "cls", ObjectClass.self),
      let selector = call.selector(selector)
    else { return nil }
    return (cls, selector)
  }
}

/// What is called for a selector that the class does not have: it answers nothing, and says so.
enum Forwarder {
  static var address: Pointer { functionAddress(body) }

  private static let body: @convention(c) (Pointer?, Pointer?) -> Int = { receiver, selector in
    let name = Selectors.name(of: selector) ?? "(no selector)"
    guard let receiver, case .live(let object) = ObjectTable.lookup(receiver) else {
      Misuse.record("[? \(name)]: sent to something that is no object", world: nil)
      return 0
    }
    let cls = object as? ObjectClass
    let sign = cls == nil ? "-" : "+"
    Misuse.record(
      "\(sign)[\(cls?.name ?? object.className) \(name)]: unrecognized selector;"
        + " a Mac would raise an exception here",
      world: object.world ?? cls?.home)
    return 0
  }
}

import Testing

@testable import ANESimulator

struct ObjectiveCTests {
  let client: Client
  init() throws { client = try makeClient() }

  @Test(arguments: [
    ("B@:@@I^@", "B44@0:8@16@24I32^@36"), ("B@:@@@I^@", "B52@0:8@16@24@32I40^@44"),
    ("@@:@@", "@32@0:8@16@24"), ("@@:^{__IOSurface=}", "@24@0:8^{__IOSurface=}16"),
    ("v@:@?", "v24@0:8@?16"), ("@@:@@@@@@@", "@72@0:8@16@24@32@40@48@56@64"),
    ("B@:cs", "B24@0:8c16s20"),
  ])
  func encodingsHaveOffsets(types: String, expected: String) {
    #expect(TypeEncoding.withOffsets(types) == expected)
  }

  @Test func classesAreFoundByName() throws {
    let string = try client.string("x")
    let named = try client.function(
      "objc_getMetaClass", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    let classOf = try client.function("object_getClass", as: Client.One.self)
    #expect(classOf(string) == (try client.cls("__NSCFString")))
    #expect(string.load(as: ID?.self) == classOf(string))
    #expect(classOf(try client.cls("NSString")) == named("NSString"))
    #expect(classOf(named("NSString")) == named("NSObject"))
    #expect(classOf(named("NSObject")) == named("NSObject"))
    let get = try client.function(
      "objc_getClass", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    #expect(client.world.bind { get("_ANENoSuchClass") } == nil)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func selectorsAreUnique() throws {
    let selector = try client.selector("compileModel:options:qos:error:")
    #expect(selector == (try client.selector("compileModel:options:qos:error:")))
    let name = try client.function("sel_getName", as: Client.One.self)
    let text = try #require(name(selector)).assumingMemoryBound(to: CChar.self)
    #expect(String(cString: text) == "compileModel:options:qos:error:")
  }

  @Test func unknownSelectorsReachAForwarder() throws {
    let string = try client.string("x")
    let responds = try client.function(
      "class_respondsToSelector", as: (@convention(c) (ID?, ID?) -> UInt8).self)
    let classOf = try client.function("object_getClass", as: Client.One.self)
    #expect(responds(classOf(string), try client.selector("length")) == 1)
    #expect(responds(classOf(string), try client.selector("launch:")) == 0)
    #expect(try client.get(string, "launch:") == nil)
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].hasPrefix("-[__NSCFString launch:]: unrecognized selector"))
    #expect(try client.number(string, "retainCount") == 1)
  }

  @Test func classObjectsAnswerRootMessages() throws {
    let cls = try client.cls("NSString")
    #expect(try client.get(cls, "class") == cls)
    #expect(try client.get(cls, "retain") == cls)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func countsAreKept() throws {
    let string = try client.string("x")
    try client.retain(string)
    #expect(try client.number(string, "retainCount") == 2)
    try client.release(string)
    try client.release(string)
    #expect(client.world.misuse.isEmpty)
    #expect(client.world.livingObjects.isEmpty)
    try client.world.bind { try client.release(string) }
    #expect(
      client.world.misuse == [
        "CFRelease: cf is an object of class __NSCFString that was released to zero before;"
          + " retain it while in use"
      ])
  }

  @Test func addressesThatAreNoObjectsAreReported() throws {
    var number = 5
    try withUnsafeMutablePointer(to: &number) { address in
      _ = try client.world.bind { try client.text(ID(address)) }
    }
    let length = try client.function("CFStringGetLength", as: (@convention(c) (ID?) -> Int).self)
    client.world.bind { _ = length(nil) }
    let one = try client.integer(1)
    #expect(length(one) == 0)
    let texts = client.world.misuse
    #expect(texts.count == 3)
    #expect(texts[0].hasPrefix("CFStringGetCString: theString 0x"))
    #expect(texts[1] == "CFStringGetLength: theString is NULL; expected a CFString")
    #expect(
      texts[2]
        == "CFStringGetLength: theString is an object of class __NSCFNumber; expected a CFString")
  }

  @Test func poppedPoolsReleaseTheirObjects() throws {
    let string = try client.string("x")
    try client.pool {
      _ = try client.get(try client.get(string, "retain")!, "autorelease")
      let described = try #require(try client.get(string, "description"))
      #expect(try client.text(described) == "x")
      #expect(try client.number(string, "retainCount") == 2)
      #expect(client.world.livingObjects == ["__NSCFString": 2])
    }
    #expect(try client.number(string, "retainCount") == 1)
    #expect(client.world.livingObjects == ["__NSCFString": 1])
  }

  @Test func releasingABorrowedObjectIsReported() throws {
    let string = try client.string("x")
    try client.pool {
      try client.release(try #require(try client.get(string, "description")))
    }
    #expect(
      client.world.misuse == [
        "an object of class __NSCFString was released more often than it was retained: a pool or a"
          + " container still counted on it"
      ])
  }

  @Test func poolsMisusedAreReported() throws {
    let pop = try client.function(
      "objc_autoreleasePoolPop", as: (@convention(c) (ID?) -> Void).self)
    let push = try client.function("objc_autoreleasePoolPush", as: (@convention(c) () -> ID?).self)
    client.world.bind {
      let token = push()
      pop(token)
      pop(token)
    }
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].hasPrefix("objc_autoreleasePoolPop: the token"))
  }

  @Test func outerPoolPopsInnerOnes() throws {
    let string = try client.string("x")
    let push = try client.function("objc_autoreleasePoolPush", as: (@convention(c) () -> ID?).self)
    try client.pool {
      _ = push()
      _ = try client.get(try client.get(string, "retain")!, "autorelease")
    }
    #expect(try client.number(string, "retainCount") == 1)
    #expect(client.world.misuse.isEmpty)
  }
}

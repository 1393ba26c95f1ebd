import Testing

@testable import ANESimulator

struct CoreFoundationTests {
  let client: Client
  init() throws { client = try makeClient() }

  @Test func stringsKeepTheirText() throws {
    let string = try client.string("gr\u{fc}n \u{1F34B}")
    let length = try client.function("CFStringGetLength", as: (@convention(c) (ID?) -> Int).self)
    #expect(length(string) == 7)
    #expect(try client.text(string) == "gr\u{fc}n \u{1F34B}")
    let copy = try client.function(
      "CFStringGetCString",
      as: (@convention(c) (ID?, UnsafeMutablePointer<CChar>?, Int, UInt32) -> UInt8).self)
    var small = [CChar](repeating: 1, count: 10)
    #expect(copy(string, &small, small.count, 0x0800_0100) == 0)
    var ascii = [CChar](repeating: 0, count: 64)
    #expect(copy(string, &ascii, ascii.count, 0x0600) == 0)
    let create = try client.function(
      "CFStringCreateWithBytes",
      as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int, UInt32, UInt8) -> ID?).self)
    #expect(create(nil, [0xff, 0xfe], 2, 0x0800_0100, 0) == nil)
    #expect(client.world.misuse.isEmpty)
    client.world.bind { #expect(create(nil, [65], 1, 77, 0) == nil) }
    #expect(client.world.misuse.count == 1)
  }

  @Test func dataIsCopied() throws {
    let create = try client.function(
      "CFDataCreate", as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int) -> ID?).self)
    var bytes: [UInt8] = [1, 2, 3]
    let data = try #require(client.world.bind { create(nil, bytes, 3) })
    bytes[0] = 9
    let pointer = try client.function("CFDataGetBytePtr", as: Client.One.self)(data)
    #expect(try #require(pointer).load(as: UInt8.self) == 1)
    #expect(
      try client.function("CFDataGetLength", as: (@convention(c) (ID?) -> Int).self)(data) == 3)
    #expect(client.world.bind { create(nil, nil, 3) } == nil)
    #expect(client.world.misuse == ["CFDataCreate: 3 bytes at NULL"])
    try client.release(data)
    #expect(client.world.livingObjects.isEmpty)
  }

  @Test func numbersConvert() throws {
    let big = try client.integer(70_000)
    let get = try client.function(
      "CFNumberGetValue", as: (@convention(c) (ID?, Int, ID?) -> UInt8).self)
    var narrow: Int16 = 0
    #expect(get(big, 2, &narrow) == 0)
    #expect(narrow == Int16(truncatingIfNeeded: 70_000))
    var double = 0.0
    #expect(get(big, 13, &double) == 1)
    #expect(double == 70_000)
    let create = try client.function(
      "CFNumberCreate", as: (@convention(c) (ID?, Int, UnsafeRawPointer?) -> ID?).self)
    var half: Float = 2.5
    let number = client.world.bind { create(nil, 5, &half) }
    var whole: Int32 = 0
    #expect(get(number, 3, &whole) == 0)
    #expect(whole == 2)
    var nan = Double.nan
    let odd = client.world.bind { create(nil, 6, &nan) }
    #expect(get(odd, 3, &whole) == 0)
    client.world.bind { #expect(create(nil, 99, &nan) == nil) }
    #expect(client.world.misuse.count == 1)
  }

  @Test func booleansAreConstants() throws {
    let value = try client.function("CFBooleanGetValue", as: (@convention(c) (ID?) -> UInt8).self)
    #expect(value(try client.constant("kCFBooleanTrue")) == 1)
    #expect(value(try client.constant("kCFBooleanFalse")) == 0)
    try client.release(try client.constant("kCFBooleanTrue"))
    #expect(value(try client.constant("kCFBooleanTrue")) == 1)
  }

  @Test func dictionariesCompareKeysAsObjects() throws {
    let dictionary = try client.dictionary([
      (try client.string("one"), try client.integer(1)),
      (try client.string("two"), try client.integer(2)),
      (try client.string("one"), try client.integer(3)),
    ])
    #expect(try client.integer(try client.value(dictionary, "one")) == 1)
    #expect(try client.integer(try client.value(dictionary, "two")) == 2)
    #expect(try client.value(dictionary, "three") == nil)
    let count = try client.function(
      "CFDictionaryGetCount", as: (@convention(c) (ID?) -> Int).self)
    #expect(count(dictionary) == 2)
    let all = try client.function(
      "CFDictionaryGetKeysAndValues",
      as: (@convention(c) (ID?, UnsafeMutablePointer<ID?>?, UnsafeMutablePointer<ID?>?) -> Void)
        .self)
    var keys = [ID?](repeating: nil, count: 2)
    all(dictionary, &keys, nil)
    #expect(try keys.map { try client.text($0) } == ["one", "two"])
    try client.release(dictionary)
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func collectionsRefuseForeignElements() throws {
    let create = try client.function(
      "CFArrayCreate",
      as: (@convention(c) (ID?, UnsafeMutablePointer<ID?>?, Int, ID?) -> ID?).self)
    var values: [ID?] = [nil]
    let callbacks = client.world.symbol("kCFTypeArrayCallBacks")
    #expect(client.world.bind { create(nil, &values, 1, callbacks) } == nil)
    #expect(client.world.misuse == ["CFArrayCreate: values[0] is NULL; expected object"])
    values = [ID(bitPattern: 0x1234)]
    let plain = client.world.bind { create(nil, &values, 1, nil) }
    #expect(try client.elements(plain) == [ID(bitPattern: 0x1234)])
    let at = try client.function(
      "CFArrayGetValueAtIndex", as: (@convention(c) (ID?, Int) -> ID?).self)
    #expect(at(plain, 1) == nil)
    #expect(client.world.misuse.last == "CFArrayGetValueAtIndex: index 1 of an array of 1")
  }

  @Test func pathsMakeURLs() throws {
    let create = try client.function(
      "CFURLCreateFromFileSystemRepresentation",
      as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int, UInt8) -> ID?).self)
    let get = try client.function(
      "CFURLGetFileSystemRepresentation",
      as: (@convention(c) (ID?, UInt8, UnsafeMutablePointer<UInt8>?, Int) -> UInt8).self)
    let bytes = Array("/tmp/./a/../model/".utf8)
    let url = client.world.bind { create(nil, bytes, bytes.count, 1) }
    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(get(url, 1, &buffer, buffer.count) == 1)
    #expect(String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self) == "/tmp/model")
    #expect(get(url, 1, &buffer, 4) == 0)
  }

  @Test func typesAreTold() throws {
    let typeID = try client.function("CFGetTypeID", as: (@convention(c) (ID?) -> UInt).self)
    let values: [(String, ID)] = [
      ("CFString", try client.string("x")), ("CFNumber", try client.integer(1)),
      ("CFBoolean", try client.constant("kCFBooleanTrue")), ("CFArray", try client.array([])),
      ("CFDictionary", try client.dictionary([])),
    ]
    for (name, value) in values {
      let expected = try client.function("\(name)GetTypeID", as: (@convention(c) () -> UInt).self)
      #expect(typeID(value) == expected())
    }
    #expect(Set(values.map { typeID($0.1) }).count == values.count)
  }
}

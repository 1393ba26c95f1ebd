/// What a program on a Mac does to reach the framework: looks symbols up by name, casts, calls. It
/// knows of the simulator nothing but `World.symbol`.

import ANEProfiles
import Testing

@testable import ANESimulator

typealias ID = UnsafeMutableRawPointer

struct Client {
  let world: World

  typealias One = @convention(c) (ID?) -> ID?
  typealias Two = @convention(c) (ID?, ID?) -> ID?

  /// A symbol as a C function.
  func function<F>(_ name: String, as type: F.Type) throws -> F {
    let address = try #require(world.symbol(name), "no symbol \(name)")
    return unsafeBitCast(address, to: type)
  }

  /// The reference in a constant's variable.
  func constant(_ name: String) throws -> ID {
    let variable = try #require(world.symbol(name), "no symbol \(name)")
    return try #require(variable.load(as: ID?.self))
  }

  // MARK: Objective-C

  func cls(_ name: String) throws -> ID {
    let get = try function("objc_getClass", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    return try #require(world.bind { get(name) }, "no class \(name)")
  }

  func selector(_ name: String) throws -> ID {
    let register = try function(
      "sel_registerName", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    return try #require(register(name))
  }

  /// The implementation that a message to `receiver` reaches, as a C function.
  func method<F>(_ receiver: ID, _ name: String, as type: F.Type) throws -> F {
    let classOf = try function("object_getClass", as: One.self)
    let lookUp = try function("class_getMethodImplementation", as: Two.self)
    let implementation = lookUp(classOf(receiver), try selector(name))
    return unsafeBitCast(try #require(implementation), to: type)
  }

  /// A message without arguments that returns an object.
  func get(_ receiver: ID, _ name: String) throws -> ID? {
    try method(receiver, name, as: Two.self)(receiver, try selector(name))
  }

  /// A message without arguments that returns a number or a BOOL.
  func number(_ receiver: ID, _ name: String) throws -> UInt64 {
    try method(receiver, name, as: (@convention(c) (ID?, ID?) -> UInt64).self)(
      receiver, try selector(name))
  }

  func encoding(_ receiver: ID, _ name: String) throws -> String? {
    let classOf = try function("object_getClass", as: One.self)
    let find = try function("class_getInstanceMethod", as: Two.self)
    let encode = try function("method_getTypeEncoding", as: One.self)
    guard let found = find(classOf(receiver), try selector(name)) else { return nil }
    return encode(found).map { String(cString: $0.assumingMemoryBound(to: CChar.self)) }
  }

  func retain(_ id: ID) throws { _ = try function("CFRetain", as: One.self)(id) }
  func release(_ id: ID) throws {
    try function("CFRelease", as: (@convention(c) (ID?) -> Void).self)(id)
  }

  /// Runs `body` inside an autorelease pool.
  func pool<R>(_ body: () throws -> R) throws -> R {
    let push = try function("objc_autoreleasePoolPush", as: (@convention(c) () -> ID?).self)
    let pop = try function("objc_autoreleasePoolPop", as: (@convention(c) (ID?) -> Void).self)
    let token = push()
    defer { pop(token) }
    return try body()
  }

  // MARK: CoreFoundation

  func string(_ text: String) throws -> ID {
    let create = try function(
      "CFStringCreateWithBytes",
      as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int, UInt32, UInt8) -> ID?).self)
    let bytes = Array(text.utf8)
    return try #require(world.bind { create(nil, bytes, bytes.count, 0x0800_0100, 0) })
  }

  func text(_ id: ID?) throws -> String? {
    let copy = try function(
      "CFStringGetCString",
      as: (@convention(c) (ID?, UnsafeMutablePointer<CChar>?, Int, UInt32) -> UInt8).self)
    var buffer = [CChar](repeating: 0, count: 4096)
    guard copy(id, &buffer, buffer.count, 0x0800_0100) == 1 else { return nil }
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  func integer(_ value: Int) throws -> ID {
    let create = try function(
      "CFNumberCreate", as: (@convention(c) (ID?, Int, UnsafeRawPointer?) -> ID?).self)
    var value = Int64(value)
    return try #require(world.bind { create(nil, 4, &value) })
  }

  func integer(_ id: ID?) throws -> Int? {
    let get = try function("CFNumberGetValue", as: (@convention(c) (ID?, Int, ID?) -> UInt8).self)
    var value: Int64 = 0
    return get(id, 4, &value) == 1 ? Int(value) : nil
  }

  /// Takes over the counts of the keys and values.
  func dictionary(_ pairs: [(ID, ID)]) throws -> ID {
    let create = try function(
      "CFDictionaryCreate",
      as: (@convention(c) (
        ID?, UnsafeMutablePointer<ID?>?, UnsafeMutablePointer<ID?>?, Int, ID?, ID?
      ) -> ID?).self)
    var keys = pairs.map { ID?($0.0) }
    var values = pairs.map { ID?($0.1) }
    let made = world.bind {
      create(
        nil, &keys, &values, pairs.count, world.symbol("kCFTypeDictionaryKeyCallBacks"),
        world.symbol("kCFTypeDictionaryValueCallBacks"))
    }
    for pair in pairs {
      try release(pair.0)
      try release(pair.1)
    }
    return try #require(made)
  }

  /// Takes over the counts of the elements.
  func array(_ elements: [ID]) throws -> ID {
    let create = try function(
      "CFArrayCreate",
      as: (@convention(c) (ID?, UnsafeMutablePointer<ID?>?, Int, ID?) -> ID?).self)
    var values = elements.map { ID?($0) }
    let made = world.bind {
      create(nil, &values, values.count, world.symbol("kCFTypeArrayCallBacks"))
    }
    for element in elements { try release(element) }
    return try #require(made)
  }

  /// The value under a string key, borrowed.
  func value(_ dictionary: ID?, _ key: String) throws -> ID? {
    let get = try function("CFDictionaryGetValue", as: Two.self)
    let key = try string(key)
    defer { try? release(key) }
    return get(dictionary, key)
  }

  func elements(_ array: ID?) throws -> [ID] {
    let count = try function("CFArrayGetCount", as: (@convention(c) (ID?) -> Int).self)
    let at = try function(
      "CFArrayGetValueAtIndex", as: (@convention(c) (ID?, Int) -> ID?).self)
    return try (0..<count(array)).map { try #require(at(array, $0)) }
  }

  // MARK: IOSurface

  func surface(_ properties: [(String, Int)]) throws -> ID? {
    let create = try function("IOSurfaceCreate", as: One.self)
    let pairs = try properties.map { key, value in
      let key = try constant("kIOSurface\(key)")
      try retain(key)
      return (key, try integer(value))
    }
    let dictionary = try dictionary(pairs)
    defer { try? release(dictionary) }
    return world.bind { create(dictionary) }
  }

  /// One row of `bytes` bytes.
  func flatSurface(_ bytes: Int) throws -> ID {
    let made = try surface([
      ("Width", bytes), ("Height", 1), ("BytesPerElement", 1), ("BytesPerRow", bytes),
      ("AllocSize", bytes), ("PixelFormat", 0),
    ])
    return try #require(made)
  }

  /// Runs `body` on the surface's bytes between lock and unlock.
  func bytes<R>(of surface: ID, _ body: (ID) throws -> R) throws -> R {
    typealias Locking =
      @convention(c) (ID?, UInt32, UnsafeMutablePointer<UInt32>?) -> Int32
    let lock = try function("IOSurfaceLock", as: Locking.self)
    let unlock = try function("IOSurfaceUnlock", as: Locking.self)
    let base = try function("IOSurfaceGetBaseAddress", as: One.self)
    #expect(lock(surface, 0, nil) == 0)
    defer { #expect(unlock(surface, 0, nil) == 0) }
    return try body(try #require(base(surface)))
  }
}

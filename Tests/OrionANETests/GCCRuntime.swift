// GCC's Objective-C runtime in the place of Apple's, with classes made on the spot.

import ANESimulator
import Glibc

@testable import OrionANE

/// GCC's libobjc: a second runtime that the message layer must understand. It has no pools, no retain and
/// no `object_getClass`.
struct GCCRuntime: @unchecked Sendable {
  typealias Reference = UnsafeMutableRawPointer
  static let libraryName = "libobjc.so.4"

  /// `nil`, said aloud, where the library is not installed.
  static let shared: GCCRuntime? = {
    guard let handle = dlopen(libraryName, RTLD_NOW | RTLD_GLOBAL) else {
      print("skipped: \(libraryName) is absent; apt-get install libobjc4")
      return nil
    }
    return GCCRuntime(handle: handle)
  }()

  let handle: Reference

  /// Makes a class with methods; implementations are C functions.
  func makeClass(
    _ name: String, instance: [(String, String, Reference)] = [],
    type: [(String, String, Reference)] = []
  ) {
    let find = { (name: String) in dlsym(handle, name) }
    typealias Allocate = @convention(c) (Reference?, UnsafePointer<CChar>, Int) -> Reference?
    typealias Add = @convention(c) (Reference, Reference, Reference, UnsafePointer<CChar>) -> UInt8
    typealias Register = @convention(c) (Reference) -> Void
    typealias Named = @convention(c) (UnsafePointer<CChar>) -> Reference?
    let named = unsafeBitCast(find("objc_getClass"), to: Named.self)
    let meta = unsafeBitCast(find("objc_getMetaClass"), to: Named.self)
    let selector = unsafeBitCast(find("sel_registerName"), to: Named.self)
    let add = unsafeBitCast(find("class_addMethod"), to: Add.self)
    guard
      let made = unsafeBitCast(find("objc_allocateClassPair"), to: Allocate.self)(
        named("Object"), name, 0)
    else { return }
    for (method, encoding, code) in instance { _ = add(made, selector(method)!, code, encoding) }
    unsafeBitCast(find("objc_registerClassPair"), to: Register.self)(made)
    for (method, encoding, code) in type { _ = add(meta(name)!, selector(method)!, code, encoding) }
  }

  func makeInstance(of name: String) -> Reference? {
    typealias Named = @convention(c) (UnsafePointer<CChar>) -> Reference?
    typealias Create = @convention(c) (Reference?, Int) -> Reference?
    let type = unsafeBitCast(dlsym(handle, "objc_getClass"), to: Named.self)(name)
    return unsafeBitCast(dlsym(handle, "class_createInstance"), to: Create.self)(type, 0)
  }

  /// The runtime's functions from GCC, the rest from the simulator, retain and release counted.
  func library(_ world: World) -> ForeignLibrary {
    let runtime = ["objc_", "object_", "sel_", "class_", "method_"]
    let base = ForeignLibrary.simulated(world)
    return base.changed(name: "GCC's runtime") { name in
      if name == "CFRetain" { return .other(.init(RetainTally.retain)) }
      if name == "CFRelease" { return .other(.init(RetainTally.release)) }
      // No framework stands beside this runtime; any object serves as its constants.
      if name.hasPrefix("kANEF") {
        return base.symbol("kIOSurfaceWidth").map { .other(.init(pointer: $0)) } ?? .missing
      }
      guard runtime.contains(where: name.hasPrefix) else { return .keep }
      return dlsym(self.handle, name).map { .other(.init(pointer: $0)) } ?? .missing
    }
  }
}

extension ForeignLibrary.Address {
  init<F>(_ function: F) {
    self.init(pointer: unsafeBitCast(function, to: UnsafeMutableRawPointer.self))
  }
}

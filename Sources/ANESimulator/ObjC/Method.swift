/// Methods as rows: selector, type encoding, and a C function that is the implementation.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One method of a class or of a metaclass, shared by all worlds.
final class Method: @unchecked Sendable {
  let selector: Pointer
  let name: String
  /// As `method_getTypeEncoding` returns it.
  let encoding: UnsafeMutablePointer<CChar>
  let implementation: Pointer
  /// What `class_getInstanceMethod` returns.
  let handle: Pointer
  /// The first macOS that has it; 0 for all that are played.
  let firstSystem: Int

  /// `types` has no offsets. `body` is a `@convention(c)` function of exactly these types.
  init<Body>(_ name: String, _ types: String, _ body: Body, since firstSystem: Int = 0) {
    self.name = name
    self.firstSystem = firstSystem
    selector = Selectors.register(name)
    encoding = CString.immortal(TypeEncoding.withOffsets(types))
    implementation = functionAddress(body)
    handle = calloc(1, 32)
    Method.handles.withLock { $0[UInt(bitPattern: handle)] = self }
  }

  private static let handles = Mutex<[UInt: Method]>([:])

  /// The method behind a handle, else `nil`.
  static func behind(_ handle: Pointer) -> Method? {
    handles.withLock { $0[UInt(bitPattern: handle)] }
  }
}

/// The address of a `@convention(c)` function.
func functionAddress<Function>(_ function: Function) -> Pointer {
  unsafeBitCast(function, to: Pointer.self)
}

/// A class as a row.
struct ClassRow: Sendable {
  let name: String
  let superclass: String?
  var classMethods: [Method] = []
  var instanceMethods: [Method] = []

  /// What of it there is under macOS `system`.
  func under(system: Int) -> ClassRow {
    ClassRow(
      name: name, superclass: superclass,
      classMethods: classMethods.filter { $0.firstSystem <= system },
      instanceMethods: instanceMethods.filter { $0.firstSystem <= system })
  }
}

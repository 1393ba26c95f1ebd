/// An object of the simulated process: an address that starts with its class, and a Swift body
/// behind it.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Counted by `ObjectTable`, not by Swift: made with a count of one that belongs to the maker, gone
/// at zero.
class Instance: @unchecked Sendable {
  /// What it is called in messages to the user.
  class var kind: String { "object" }

  /// The world it belongs to, which it keeps alive; `nil` for plain values made outside of any
  /// world.
  let world: World?
  let address: Pointer
  /// `nil` for metaclasses alone.
  let isa: ObjectClass?
  /// Retain and release leave it alone.
  let isImmortal: Bool

  init(isa: ObjectClass?, world: World?, isImmortal: Bool = false) {
    self.isa = isa
    self.world = world
    self.isImmortal = isImmortal
    address = calloc(1, 16)
    address.storeBytes(of: isa?.address, as: Pointer?.self)
    ObjectTable.insert(self)
  }

  var className: String { isa?.name ?? "metaclass" }

  /// Toll-free and Objective-C equality; identity unless a kind says more.
  func isEqual(to other: Instance) -> Bool { self === other }

  /// What `CFCopyDescription` and `description` would say.
  var descriptionText: String { "<\(className): \(address)>" }

  /// Gives back what the object owns; called once, when its count reaches zero.
  func dispose() {}

  @discardableResult
  final func retained() -> Self {
    ObjectTable.retain(self)
    return self
  }

  /// Hands the maker's count to the innermost pool.
  final func autoreleased() -> Pointer {
    ThreadState.current.pools.add(self)
    return address
  }

  final func release() { ObjectTable.release(self) }
}

/// Autorelease pools of one thread: objects that lose a count when the pool they lie in is popped.

struct PoolStack {
  private enum Slot {
    case mark(Pointer)
    case object(Instance)
  }
  private var slots: [Slot] = []
  private var tokens: UInt = 0

  /// Opens a pool; the token names it.
  mutating func push() -> Pointer {
    tokens += 1
    // No token is an address of memory: nothing may be read there.
    let token = Pointer(bitPattern: 0xA000_0000_0000_0000 | tokens)!
    slots.append(.mark(token))
    return token
  }

  mutating func add(_ instance: Instance) {
    guard !instance.isImmortal else { return }
    if slots.isEmpty {
      Misuse.record(
        "\(instance.className) was autoreleased while the thread has no autorelease pool;"
          + " it leaks until the thread ends. Open one with objc_autoreleasePoolPush.",
        world: instance.world)
    }
    slots.append(.object(instance))
  }

  /// Whether the pool named `token` is open on this thread.
  func isOpen(_ token: Pointer) -> Bool {
    slots.contains {
      if case .mark(token) = $0 { true } else { false }
    }
  }

  /// Takes the objects out of the pool named `token` and the pools inside it, last one first.
  mutating func take(downTo token: Pointer) -> [Instance] {
    var taken: [Instance] = []
    while let slot = slots.popLast() {
      switch slot {
      case .object(let instance): taken.append(instance)
      case .mark(token): return taken
      case .mark: continue
      }
    }
    return taken
  }

  /// Takes the objects out of all pools, last one first.
  mutating func takeAll() -> [Instance] {
    defer { slots = [] }
    return slots.reversed().compactMap {
      if case .object(let instance) = $0 { instance } else { nil }
    }
  }
}

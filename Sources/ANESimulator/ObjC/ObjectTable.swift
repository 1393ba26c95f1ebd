/// All objects by address, with their counts. It finds out whether an address is an object, was
/// one, or never was.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum ObjectTable {
  enum Lookup {
    case live(Instance)
    /// Released to zero; the name of the class it had.
    case dead(String)
    case unknown
  }

  private struct Entry {
    let instance: Instance
    var count: Int
  }

  /// Addresses are reused only after this many later deaths, so that stale ids are recognised.
  private static let graveyardSize = 65_536

  private struct State {
    var live: [UInt: Entry] = [:]
    var dead: [UInt: String] = [:]
    /// Ring of dead addresses, oldest at `next` once it is full.
    var graves: [UInt] = []
    var next = 0

    mutating func bury(_ address: UInt, name: String) {
      dead[address] = name
      guard graves.count == graveyardSize else {
        graves.append(address)
        return
      }
      let oldest = graves[next]
      dead[oldest] = nil
      free(Pointer(bitPattern: oldest))
      graves[next] = address
      next = (next + 1) % graveyardSize
    }
  }
  private static let state = Mutex(State())

  static func insert(_ instance: Instance) {
    let address = UInt(bitPattern: instance.address)
    state.withLock { $0.live[address] = Entry(instance: instance, count: 1) }
  }

  static func lookup(_ id: Pointer) -> Lookup {
    let address = UInt(bitPattern: id)
    return state.withLock { state in
      if let entry = state.live[address] { return .live(entry.instance) }
      if let name = state.dead[address] { return .dead(name) }
      return .unknown
    }
  }

  static func retain(_ instance: Instance) {
    guard !instance.isImmortal else { return }
    let address = UInt(bitPattern: instance.address)
    state.withLock { $0.live[address]?.count += 1 }
  }

  /// One less; at zero the object dies and gives back what it owns.
  static func release(_ instance: Instance) {
    guard !instance.isImmortal else { return }
    let address = UInt(bitPattern: instance.address)
    let former = state.withLock { state -> Int in
      guard let entry = state.live[address], entry.instance === instance else { return 0 }
      state.live[address]?.count = entry.count - 1
      guard entry.count == 1 else { return entry.count }
      state.live[address] = nil
      state.bury(address, name: instance.className)
      return 1
    }
    if former == 1 { instance.dispose() }
    guard former == 0 else { return }
    Misuse.record(
      "an object of class \(instance.className) was released more often than it was retained: a"
        + " pool or a container still counted on it",
      world: instance.world)
  }

  /// Removes classes and singletons whose world is gone.
  static func forget(_ instances: [Instance]) {
    state.withLock { state in
      for instance in instances {
        let address = UInt(bitPattern: instance.address)
        guard state.live.removeValue(forKey: address) != nil else { continue }
        state.bury(address, name: instance.className)
      }
    }
  }

  static func count(of instance: Instance) -> Int {
    state.withLock { $0.live[UInt(bitPattern: instance.address)]?.count ?? 0 }
  }

  /// Living objects of `world`, by class; immortal ones are left out.
  static func census(of world: World) -> [String: Int] {
    let living = state.withLock { state in
      state.live.values.map(\.instance).filter { $0.world === world && !$0.isImmortal }
    }
    return living.reduce(into: [:]) { $0[$1.className, default: 0] += 1 }
  }
}

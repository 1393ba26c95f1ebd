import Synchronization

/// A program that takes a slot of the device while it is loaded.
protocol SlotHolder: AnyObject, Sendable {
  var name: String { get }
  func enterSlot() throws(OrionError)
  func leaveSlot() throws(OrionError)
}

/// Keeps the number of loaded programs under the device's limit: a program is loaded when it is used, and
/// the one used longest ago makes room. It knows not how programs are loaded.
final class ProgramSlots: Sendable {
  private struct Entry {
    let holder: any SlotHolder
    var uses = 0
    var lastUse: UInt64 = 0
    /// Being unloaded: it still takes its slot and can no longer be used.
    var isLeaving = false
  }
  private struct State {
    var entries: [ObjectIdentifier: Entry] = [:]
    var clock: UInt64 = 0
  }

  let limit: Int
  private let state = Mutex(State())
  /// Held while programs come and go, so that they do so one at a time.
  private let traffic = Mutex(())

  init(limit: Int) { self.limit = max(limit, 1) }

  var loadedCount: Int { state.withLock { $0.entries.count } }

  /// Runs `body` with the program loaded; it stays loaded at least until `body` is done.
  func use<R>(_ holder: any SlotHolder, _ body: () throws(OrionError) -> R)
    throws(OrionError) -> R
  {
    if !pin(holder) { try bring(holder) }
    defer { unpin(holder) }
    return try body()
  }

  /// Gives the program's slot back. A program that runs keeps it.
  func giveBack(_ holder: any SlotHolder) throws(OrionError) {
    try inTraffic { () throws(OrionError) in
      let uses = state.withLock { state in
        let uses = state.entries[ObjectIdentifier(holder)]?.uses
        if uses == 0 { state.entries[ObjectIdentifier(holder)]?.isLeaving = true }
        return uses
      }
      guard let uses else { return }
      guard uses == 0 else {
        throw OrionError(
          .argument, "program \(holder.name): runs on another thread; unload it when it is done")
      }
      try sendAway(holder)
    }
  }

  /// Lets go of a program that cannot be unloaded and that nobody will use again.
  func abandon(_ holder: any SlotHolder) {
    _ = state.withLock { $0.entries.removeValue(forKey: ObjectIdentifier(holder)) }
  }

  /// Loads the program, unless another thread was faster, and pins it.
  private func bring(_ holder: any SlotHolder) throws(OrionError) {
    try inTraffic { () throws(OrionError) in
      guard !pin(holder) else { return }
      try makeRoom()
      try holder.enterSlot()
      state.withLock { $0.entries[ObjectIdentifier(holder)] = Entry(holder: holder) }
      _ = pin(holder)
    }
  }

  private func makeRoom() throws(OrionError) {
    while loadedCount >= limit {
      let oldest = state.withLock { state in
        let idle = state.entries.values.filter { $0.uses == 0 }
        let oldest = idle.min { $0.lastUse < $1.lastUse }?.holder
        if let oldest { state.entries[ObjectIdentifier(oldest)]?.isLeaving = true }
        return oldest
      }
      guard let oldest else {
        throw OrionError(
          .device,
          "all \(limit) program slots of the device are running;"
            + " evaluate from at most \(limit) threads at once")
      }
      try sendAway(oldest)
    }
  }

  /// Unloads a program that is marked as leaving. When that fails it stays, so that it can be tried again.
  private func sendAway(_ holder: any SlotHolder) throws(OrionError) {
    do throws(OrionError) {
      try holder.leaveSlot()
      state.withLock { $0.entries[ObjectIdentifier(holder)] = nil }
    } catch {
      state.withLock { $0.entries[ObjectIdentifier(holder)]?.isLeaving = false }
      throw error
    }
  }

  private func inTraffic(_ body: () throws(OrionError) -> Void) throws(OrionError) {
    let result: Result<Void, OrionError> = traffic.withLock { _ in
      do throws(OrionError) { return .success(try body()) } catch { return .failure(error) }
    }
    try result.get()
  }

  private func pin(_ holder: any SlotHolder) -> Bool {
    state.withLock { state in
      guard var entry = state.entries[ObjectIdentifier(holder)], !entry.isLeaving else {
        return false
      }
      state.clock += 1
      entry.uses += 1
      entry.lastUse = state.clock
      state.entries[ObjectIdentifier(holder)] = entry
      return true
    }
  }

  private func unpin(_ holder: any SlotHolder) {
    state.withLock { $0.entries[ObjectIdentifier(holder)]?.uses -= 1 }
  }
}

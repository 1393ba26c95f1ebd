import Synchronization

/// Marks a session as busy, and lets another thread ask the busy one to stop. It knows no work.
final class Cancellation: Sendable {
  private let isBusy = Atomic(false)
  private let isAsked = Atomic(false)

  /// Begins a call; refused while another runs.
  func begin() throws(OrionError) {
    guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      throw OrionError(
        .argument,
        "session: another call is running on it; wait for that one, or open a session per thread")
    }
    isAsked.store(false, ordering: .relaxed)
  }

  func end() { isBusy.store(false, ordering: .releasing) }

  /// Asks the running call to stop; without one nothing happens.
  func ask() { isAsked.store(true, ordering: .relaxed) }

  /// Throws when the running call was asked to stop.
  func check() throws(OrionError) {
    guard isAsked.load(ordering: .relaxed) else { return }
    throw OrionError(.cancelled, "cancelled; the session stands where it stood before the call")
  }
}

/// What the fault plan does to an operation of the daemon before it begins.

extension Daemon {
  /// How long a load waits for its turn.
  private static let loadTimeoutSeconds = 30.0

  /// Delays, fails or disconnects; what else the plan has for the operation is given back.
  func meet(_ operation: FaultPlan.Operation, _ method: String) throws(Failure)
    -> [FaultPlan.Effect]
  {
    let effects = faults.effects(on: operation)
    for effect in effects {
      switch effect {
      case .delay(let seconds):
        state.withLock { $0.seconds += seconds }
        guard operation == .load, seconds >= Daemon.loadTimeoutSeconds else { continue }
        throw Failure(
          .timeout, in: method,
          "other loads held the queue for \(seconds) s; a load waits"
            + " \(Daemon.loadTimeoutSeconds) s for its turn")
      case .error(let code, let status): throw Daemon.failure(code, status, method)
      case .disconnect:
        restart()
        throw Failure(
          domain: Failure.connection, code: 4097,
          text: "Couldn’t communicate with a helper application.",
          reason: "the connection to the daemon was interrupted while it answered \(method)")
      case .refuse, .full, .stale, .flip: continue
      }
    }
    return effects
  }

  private static func failure(_ code: Int, _ status: Int?, _ method: String) -> Failure {
    let reason = "by fault plan"
    switch (Failure.Kind(rawValue: code), status) {
    case (.load, .some(let status)): return .load(status: status, in: method, reason)
    case (.inference, .some(let status)): return .evaluation(status: status, reason)
    case (.map, _): return .mapping(in: method, reason)
    case (let kind, _): return Failure(kind ?? .inference, in: method, reason)
    }
  }

  /// The daemon starts over: programs that were loaded are gone, the cache stays.
  private func restart() {
    state.withLock { state in
      state.counters.unloads += state.loaded.count
      state.loaded.removeAll()
      state.loadedBytes = 0
      state.counters.loadedPrograms = 0
    }
  }

  /// Lets time pass on the virtual clock.
  func wait(seconds: Double) { state.withLock { $0.seconds += seconds } }

  /// Once a day of the virtual clock.
  func maintain() {
    let isDue = state.withLock { state in
      guard state.seconds - state.maintained >= ModelCache.daySeconds else { return false }
      state.maintained = state.seconds
      return true
    }
    if isDue { cache.maintain() }
  }
}

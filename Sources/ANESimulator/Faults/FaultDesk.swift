/// Counts operations and says what goes wrong with each, as the plan has it.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class FaultDesk: Sendable {
  private struct State {
    var plan = FaultPlan.none
    var counts: [FaultPlan.Operation: Int] = [:]
    var struck: [String] = []
  }
  private let state = Mutex(State())

  /// Starts the counts over.
  func follow(_ plan: FaultPlan) { state.withLock { $0 = State(plan: plan) } }

  /// What has gone wrong, in order: `load 3: error`.
  var struck: [String] { state.withLock { $0.struck } }

  /// The effects on the operation that begins now.
  func effects(on operation: FaultPlan.Operation) -> [FaultPlan.Effect] {
    state.withLock { state in
      guard !state.plan.rows.isEmpty else { return [] }
      let count = state.counts[operation, default: 0] + 1
      state.counts[operation] = count
      let effects = state.plan.rows.filter { $0.operation == operation && $0.strikes(count) }
        .map(\.effect)
      state.struck += effects.map { "\(operation.rawValue) \(count): \($0.name)" }
      return effects
    }
  }

  /// The error number that a file operation fails with, or 0.
  func fileVerdict() -> Int32 { effects(on: .file).isEmpty ? 0 : ENOSPC }
}

import Synchronization

/// Pieces on their way from the thread that draws them to the task that reads them. It knows no model.
final class PieceChannel: Sendable {
  typealias Answer = Result<Generation.Piece?, OrionError>

  private struct State {
    var pieces: [Generation.Piece] = []
    var end: Answer?
    var reader: CheckedContinuation<Answer, Never>?
    var onCancel: (@Sendable () -> Void)?

    mutating func end(_ answer: Answer) {
      end = answer
      onCancel = nil
    }
  }

  private let state = Mutex(State())
  private let cancelled = Atomic(false)

  /// Nobody reads on.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func onCancel(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onCancel = body } }

  func send(_ piece: Generation.Piece) {
    let reader = state.withLock { state -> CheckedContinuation<Answer, Never>? in
      guard state.end == nil else { return nil }
      if piece.finish != nil { state.end(.success(nil)) }
      guard let reader = state.reader else {
        state.pieces.append(piece)
        return nil
      }
      state.reader = nil
      return reader
    }
    reader?.resume(returning: .success(piece))
  }

  func fail(_ error: OrionError) { end(.failure(error)) }

  /// The reader gets an error instead of the rest, and the drawing stops.
  func cancel() {
    let onCancel = state.withLock { $0.end == nil ? $0.onCancel : nil }
    cancelled.store(true, ordering: .relaxed)
    end(.failure(OrionError(.cancelled, "generation: cancelled before its text was complete")))
    onCancel?()
  }

  private func end(_ answer: Answer) {
    let reader = state.withLock { state -> CheckedContinuation<Answer, Never>? in
      guard state.end == nil else { return nil }
      state.end(answer)
      state.pieces = []
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: answer)
  }

  func next(isolation actor: isolated (any Actor)?) async -> Answer {
    await withCheckedContinuation { continuation in
      let answer = state.withLock { state -> Answer? in
        if !state.pieces.isEmpty { return .success(state.pieces.removeFirst()) }
        if let end = state.end { return end }
        guard state.reader == nil else {
          return .failure(
            OrionError(.argument, "generation: one task at a time reads its pieces"))
        }
        state.reader = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }
}

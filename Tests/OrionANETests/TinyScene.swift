import Testing

@testable import OrionANE

/// A session with what it stands on.
final class TinyScene {
  let bundle: TinyBundle
  let backend: TinyBackend
  let session: Session

  convenience init(_ model: TinyModel = TinyModel(), rowAlignment: Int = 1) throws {
    try self.init(TinyBundle(model), rowAlignment: rowAlignment)
  }

  init(_ bundle: TinyBundle, rowAlignment: Int = 1) throws {
    self.bundle = bundle
    backend = try TinyBackend(bundle.model, rowAlignment: rowAlignment)
    session = try Session(bundle.open(), on: backend)
  }

  var calls: [String] {
    backend.state.withLock { state in
      defer { state.calls = [] }
      return state.calls
    }
  }
  var violations: [String] { backend.state.withLock { $0.violations } }

  /// A text that fills the context.
  static let text: [Int32] = [1, 5, 9, 3, 3, 10, 0, 7, 8, 2, 4, 6, 5, 1, 1, 9, 10, 3, 7, 2, 0]

  /// The largest distance between two sets of logits.
  static func difference(_ logits: [Float], _ expected: [[Double]]) -> Double {
    let expected = expected.flatMap { $0 }
    guard logits.count == expected.count else { return .infinity }
    return zip(logits, expected).map { abs(Double($0) - $1) }.max() ?? 0
  }
}

/// Why a program could not be compiled, loaded or run.
public enum EngineError: Error, Sendable {
  /// The text or its arguments are wrong.
  case program(DiagnosticList)
  /// A compiled file is not what was written; says which and how.
  case damaged(String)
  /// The file system refused; says what and why.
  case file(String)
  /// A run could not go on; says why.
  case stopped(String)
  /// A run was asked to stop.
  case cancelled

  static func program(_ message: String, rule: String) -> EngineError {
    .program(DiagnosticList([Diagnostic(message, rule: rule)]))
  }

  /// One line for people.
  public var message: String {
    switch self {
    case .program(let list): list.diagnostics.map(\.message).joined(separator: "; ")
    case .damaged(let message), .file(let message), .stopped(let message): message
    case .cancelled: "cancelled"
    }
  }
}

/// One known restriction of the engine or of the path to it.
public struct Rule: Sendable {
  public enum Symptom: String, Sendable {
    case compileFailure = "compile failure"
    case evaluationError = "evaluation error"
    case wrongNumbers = "silent wrong numbers"
    case crash
    case slow
    case invalidProgram = "invalid program"

    /// The device's compiler refuses the program; all else shows when it is loaded or run.
    public var isSeenByCompiler: Bool { self == .compileFailure || self == .invalidProgram }
  }
  /// Short name, as `concat-arguments`; the name of its text test.
  public let id: String
  /// Number in the paper's list of twenty, where it has one.
  public let paperNumber: Int?
  /// What a program must do.
  public let statement: String
  public let symptom: Symptom
  public let remedy: String
  /// Chips and OS versions it was seen on.
  public let chips: String
  /// What kinds of evidence there are.
  public let basis: [Basis]
  /// Who saw it and how.
  public let evidence: String

  public enum Basis: String, Sendable {
    /// Programs that keep to it, or break it, were seen working.
    case working = "seen working"
    case failing = "seen failing"
    case measured
    /// Read in the framework's or the compiler's code.
    case decompiled
    case conjecture
  }
}

/// How hard a rule is on one profile.
public enum Severity: String, Sendable {
  case error, warning, note
}

/// A rule that holds on a profile.
public struct ProfileRule: Sendable {
  public let id: String
  public let severity: Severity

  public init(id: String, severity: Severity) {
    self.id = id
    self.severity = severity
  }
}

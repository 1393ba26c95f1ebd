import ANEProfiles

/// Something wrong with a program: where, which rule, what was expected, what came, what to do.
public struct Diagnostic: Error, Sendable, Hashable {
  public var severity: Severity
  /// A rule id of ANEProfiles, or one of MIL's own: `syntax`, `unknown-op`, `type-mismatch`, ….
  public var rule: String
  public var message: String
  public var span: SourceSpan?
  /// A change of the text that mends it, where one can be made without judgement.
  public var fix: Fix?
  public init(
    _ message: String, rule: String, at span: SourceSpan? = nil, severity: Severity = .error,
    fix: Fix? = nil
  ) {
    self.fix = fix
    self.severity = severity
    self.rule = rule
    self.message = message
    self.span = span
  }

  /// `file:line:column: error: message [rule]`, the form compilers use.
  public func text(file: String) -> String {
    let place = span.map { ":\($0.start.line):\($0.start.column)" } ?? ""
    return "\(file)\(place): \(severity.rawValue): \(message) [\(rule)]"
  }
}

/// All that was found wrong in one go; never empty.
public struct DiagnosticList: Error, Sendable {
  public let diagnostics: [Diagnostic]
  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  /// One line per diagnostic.
  public func text(file: String) -> String {
    diagnostics.map { $0.text(file: file) }.joined(separator: "\n")
  }
}

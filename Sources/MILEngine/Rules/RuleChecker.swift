import ANEProfiles

/// Holds a well-formed program against the rules of a profile. What is wrong with a program on the
/// device is known here before its compiler fails without a reason; how the device itself would act is
/// the simulator's, which never asks this checker.
public struct RuleChecker {
  public enum Scope: Sendable {
    /// What the text decides.
    case text
    /// And notes on what depends on how the program is called, on what, and by whom.
    case use
  }

  /// What the profile's rules say of the program, in order of place; empty when they are content.
  public static func check(
    _ tree: SyntaxTree, _ program: CheckedProgram, profile: Profile, scope: Scope = .text
  ) -> [Diagnostic] {
    let subject = RuleSubject(tree, program, profile: profile)
    var found: [Diagnostic] = []
    for held in profile.rules {
      guard let rule = Rule.named(held.id), let check = RuleCheck.named(held.id),
        scope == .use || !check.isAboutUse || held.severity != .note
      else { continue }
      for finding in check.run(subject) {
        var diagnostic = finding.diagnostic(of: rule, severity: held.severity)
        diagnostic.fix = RuleFix.named(held.id)?.fix(at: finding.span, in: subject)
        found.append(diagnostic)
      }
    }
    return found.enumerated()
      .sorted { (offset(of: $0.element), $0.offset) < (offset(of: $1.element), $1.offset) }
      .map(\.element)
  }

  private static func offset(of diagnostic: Diagnostic) -> Int {
    diagnostic.span?.start.offset ?? -1
  }
}

/// How one rule is judged from a program's text.
struct RuleCheck: Sendable {
  /// The id of a row of `ANEProfiles`.
  let id: String
  /// Its findings may be harmless: they depend on more than the text.
  var isAboutUse = false
  let run: @Sendable (RuleSubject) -> [RuleFinding]

  static let all: [RuleCheck] =
    opChecks + argumentChecks + sizeChecks + productChecks + programChecks + weightChecks
    + surfaceChecks + hostChecks

  static func named(_ id: String) -> RuleCheck? { byID[id] }

  private static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
}

/// One place that breaks a rule: what was expected and what came.
struct RuleFinding {
  var message: String
  var span: SourceSpan
  /// No harder than this, whatever the profile says; for breaches that may be harmless.
  var atMost: Severity?
  /// What to do, where the rule's own remedy does not fit.
  var remedy: String?

  init(
    _ message: String, at span: SourceSpan, atMost: Severity? = nil, remedy: String? = nil
  ) {
    self.message = message
    self.span = span
    self.atMost = atMost
    self.remedy = remedy
  }

  func diagnostic(of rule: Rule, severity: Severity) -> Diagnostic {
    let isCapped = atMost.map { $0.rank < severity.rank } ?? false
    return Diagnostic(
      "\(message); \(remedy ?? rule.remedy)", rule: rule.id, at: span,
      severity: isCapped ? atMost ?? severity : severity)
  }
}

extension Severity {
  fileprivate var rank: Int {
    switch self {
    case .note: return 0
    case .warning: return 1
    case .error: return 2
    }
  }
}

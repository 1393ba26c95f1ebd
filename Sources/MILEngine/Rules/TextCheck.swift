import ANEProfiles

/// Everything that is wrong with a text, in one go: MIL's own faults once, then each profile's.
public struct TextCheck: Sendable {
  public struct Finding: Sendable {
    public var diagnostic: Diagnostic
    /// The profile whose rule it is; `nil` for a fault of MIL's own.
    public var profile: String?
  }

  /// In order of place within each profile.
  public let findings: [Finding]

  public var hasError: Bool { findings.contains { $0.diagnostic.severity == .error } }

  /// `modelDirectory` is where the text finds its weight files; `nil` leaves them closed.
  public init(_ text: String, modelDirectory: String?, profiles: [Profile]) {
    self.init(utf8: Array(text.utf8), modelDirectory: modelDirectory, profiles: profiles)
  }

  /// The same for bytes that may not be UTF-8, which is a fault like others.
  public init(utf8 bytes: [UInt8], modelDirectory: String?, profiles: [Profile]) {
    do throws(DiagnosticList) {
      let tree = try Parser.parse(utf8: bytes)
      let (program, faults) = Checker.examine(tree, modelDirectory: modelDirectory)
      findings =
        faults.map { Finding(diagnostic: $0, profile: nil) }
        + profiles.flatMap { profile in
          RuleChecker.check(tree, program, profile: profile)
            .map { Finding(diagnostic: $0, profile: profile.name) }
        }
    } catch {
      findings = error.diagnostics.map { Finding(diagnostic: $0, profile: nil) }
    }
  }
}

extension FixedText {
  /// More rounds mean that fixes undo each other.
  private static let roundsMax = 8

  /// Makes every fix that the profiles' rules know for a text, round by round, until none is left. A
  /// round that would spoil a text that was well formed is taken back, and its fixes are named.
  public static func fixing(
    _ text: String, modelDirectory: String?, profiles: [Profile]
  ) -> FixedText {
    var result = FixedText(text: text, outcomes: [])
    var obstructed: [Outcome] = []
    for _ in 0..<roundsMax {
      let check = TextCheck(result.text, modelDirectory: modelDirectory, profiles: profiles)
      let round = applying(check.findings.map(\.diagnostic), to: result.text)
      obstructed = round.outcomes.filter { $0.obstacle != nil }
      if round.text == result.text { break }
      let again = TextCheck(round.text, modelDirectory: modelDirectory, profiles: [])
      guard again.findings.count <= check.findings.count(where: { $0.profile == nil }) else {
        obstructed = round.outcomes.map {
          var outcome = $0
          outcome.obstacle = outcome.obstacle ?? "it would spoil the program; change it by hand"
          return outcome
        }
        break
      }
      result.text = round.text
      result.outcomes += round.outcomes.filter { $0.obstacle == nil }
    }
    result.outcomes += obstructed
    return result
  }
}

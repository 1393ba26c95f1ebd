import ANEProfiles
import Testing

@testable import MILEngine

/// Runs the texts of Tests/filetests/check. The first line names the profile; a comment behind a
/// statement, `// error: part of the message [rule]`, says what is found there, and nothing else may be.
/// Without a rule in brackets the file's own name is meant.
@Suite struct RuleCheckerTests {
  static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/filetests/check"
  static let files = SampleFiles.names(in: folder).filter { $0.hasSuffix(".mil") }

  @Test(arguments: files) func textsDrawWhatTheySay(_ file: String) throws {
    let text = SampleFiles.text(of: Self.folder + "/" + file)
    let head = try #require(text.split(separator: "\n").first)
    let name = try #require(head.split(separator: "=").last, "first line: // check profile=…")
    let profile = try #require(Profile.named(String(name)))
    let tree = try Parser.parse(text)
    let program = try Checker.check(tree, modelDirectory: nil)
    var found = RuleChecker.check(tree, program, profile: profile)
    for expected in Expectation.all(in: text, rule: String(file.dropLast(4))) {
      let index = found.firstIndex { expected.isMet(by: $0) }
      #expect(index != nil, "\(file):\(expected.line): nothing says: \(expected.message)")
      if let index { found.remove(at: index) }
    }
    #expect(found.isEmpty, "\(DiagnosticList(found).text(file: file))")
  }

  @Test func everyCheckHasItsRowAndItsText() {
    #expect(!Self.files.isEmpty)
    for check in RuleCheck.all {
      #expect(Rule.named(check.id) != nil, "\(check.id) has no row")
      #expect(Self.files.contains(check.id + ".mil"), "\(check.id) has no text")
    }
  }

  @Test func everyRuleOfAProfileHasItsRow() {
    for profile in Profile.all {
      for rule in profile.rules { #expect(Rule.named(rule.id) != nil, "\(rule.id)") }
      for refused in profile.refusedOps { #expect(Rule.named(refused.rule) != nil) }
      #expect(Set(profile.rules.map(\.id)).count == profile.rules.count)
    }
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.compactMap(\.paperNumber)) == Set(1...20))
  }

  @Test func aProfileWithoutRulesHasNothingToSay() throws {
    let tree = try Parser.parse(
      program("tensor<fp16, [3]> y = rsqrt(x = x);", inputs: "tensor<fp16, [3]> x", out: "y"))
    let program = try Checker.check(tree, modelDirectory: nil)
    #expect(RuleChecker.check(tree, program, profile: try #require(.named("cpu"))).isEmpty)
    let found = RuleChecker.check(tree, program, profile: .standard)
    #expect(
      found.map(\.rule) == [
        "minimum-surface", "minimum-surface", "mandatory-arguments", "no-rsqrt",
      ])
  }
}

/// One `// severity: message [rule]` behind a statement.
private struct Expectation {
  var line: Int
  var severity: Severity
  var message: String
  var rule: String

  static func all(in text: String, rule: String) -> [Expectation] {
    var result: [Expectation] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      for comment in line.split(separator: "// ").dropFirst(line.hasPrefix("// ") ? 0 : 1) {
        let parts = comment.split(separator: ": ", maxSplits: 1)
        guard parts.count == 2, let severity = Severity(rawValue: String(parts[0])) else {
          continue
        }
        let pieces = parts[1].split(separator: "[")
        let isNamed = pieces.count == 2
        result.append(
          Expectation(
            line: index + 1, severity: severity,
            message: trimmed(isNamed ? pieces[0] : parts[1]),
            rule: isNamed ? trimmed(pieces[1].filter { $0 != "]" }) : rule))
      }
    }
    return result
  }

  func isMet(by diagnostic: Diagnostic) -> Bool {
    diagnostic.span?.start.line == line && diagnostic.severity == severity
      && diagnostic.rule == rule && diagnostic.message.contains(message)
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    String(text.reversed().drop { $0 == " " }.reversed().drop { $0 == " " })
  }
}

import ANEProfiles
import Testing

@testable import MILEngine

/// Runs the texts of Tests/filetests/check. The first line names the profile, and `use` where notes about
/// how a program is called are wanted; the next lines repeat what the rule's row says of chips, evidence
/// and remedy. A comment behind a statement, `// error@17: part of the message [rule]`, says what is found
/// there and in which column, and nothing else may be, but for notes of other rules. Without a rule in
/// brackets the file's own name is meant.
@Suite struct RuleCheckerTests {
  static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/filetests/check"
  static let files = SampleFiles.names(in: folder).filter { $0.hasSuffix(".mil") }

  @Test(arguments: files) func textsDrawWhatTheySay(_ file: String) throws {
    let text = SampleFiles.text(of: Self.folder + "/" + file)
    let id = String(file.dropLast(4))
    let head = try #require(text.split(separator: "\n").first)
    let words = head.split(separator: " ").map(String.init)
    try #require(words.count >= 3 && words[1] == "check", "first line: // check profile=…")
    let profile = try #require(Profile.named(String(words[2].dropFirst("profile=".count))))
    let tree = try Parser.parse(text)
    let program = try Checker.check(tree, modelDirectory: nil)
    var found = RuleChecker.check(
      tree, program, profile: profile, scope: words.last == "use" ? .use : .text)
    let expectations = Expectation.all(in: text, rule: id)
    #expect(expectations.contains { $0.rule == id }, "\(file) draws nothing of its own rule")
    for expected in expectations {
      let index = found.firstIndex { expected.isMet(by: $0) }
      #expect(
        index != nil,
        "\(file):\(expected.line):\(expected.column): nothing says: \(expected.message)")
      if let index { found.remove(at: index) }
    }
    found.removeAll { $0.severity == .note && $0.rule != id }
    #expect(found.isEmpty, "\(DiagnosticList(found).text(file: file))")
  }

  /// What a finding carries beside its place: the row's chips, evidence and remedy.
  @Test(arguments: files) func textsRepeatTheirRow(_ file: String) throws {
    let text = SampleFiles.text(of: Self.folder + "/" + file)
    let rule = try #require(Rule.named(String(file.dropLast(4))))
    func line(_ name: String) throws -> String {
      let start = "// \(name): "
      let line = text.split(separator: "\n").first { $0.hasPrefix(start) }
      return String(try #require(line, "\(file) has no line // \(name): …").dropFirst(start.count))
    }
    #expect(try line("chips") == rule.chips)
    #expect(try line("evidence") == rule.basis.map(\.rawValue).joined(separator: ", "))
    #expect(try line("remedy") == rule.remedy)
    #expect(!rule.evidence.isEmpty)
  }

  @Test func everyRuleHasItsCheckAndItsText() {
    #expect(Set(RuleCheck.all.map(\.id)) == Set(Rule.all.map(\.id)))
    #expect(Set(Self.files) == Set(Rule.all.map { $0.id + ".mil" }))
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
  /// 0 when any will do.
  var column: Int
  var severity: Severity
  var message: String
  var rule: String

  static func all(in text: String, rule: String) -> [Expectation] {
    var result: [Expectation] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      guard !line.hasPrefix("// ") else { continue }
      for comment in line.split(separator: "// ").dropFirst() {
        let parts = comment.split(separator: ": ", maxSplits: 1)
        guard let head = parts.first?.split(separator: "@"), parts.count == 2,
          let severity = head.first.flatMap({ Severity(rawValue: String($0)) })
        else { continue }
        let pieces = parts[1].split(separator: "[")
        let isNamed = pieces.count == 2
        result.append(
          Expectation(
            line: index + 1, column: head.count > 1 ? Int(head[1]) ?? -1 : 0, severity: severity,
            message: trimmed(isNamed ? pieces[0] : parts[1]),
            rule: isNamed ? trimmed(pieces[1].filter { $0 != "]" }) : rule))
      }
    }
    return result
  }

  func isMet(by diagnostic: Diagnostic) -> Bool {
    diagnostic.span?.start.line == line && diagnostic.severity == severity
      && (column == 0 || diagnostic.span?.start.column == column)
      && diagnostic.rule == rule && diagnostic.message.contains(message)
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    String(text.reversed().drop { $0 == " " }.reversed().drop { $0 == " " })
  }
}

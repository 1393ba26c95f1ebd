import ANEProfiles

@testable import MILEngine

/// MIL text: what parses prints to a text that parses to the same, and every checker comes to an end.
enum TextTarget {
  static func run(_ bytes: [UInt8]) -> CInt {
    guard let tree = try? Parser.parse(utf8: bytes) else { return 0 }
    let printed = tree.text()
    guard let again = try? Parser.parse(printed) else {
      expect(false, "the printed text does not parse:\n\(printed)")
      return 0
    }
    expect(
      again.text() == printed, "the printed text changes when it is printed again:\n\(printed)")
    let (program, faults) = Checker.examine(tree, modelDirectory: nil)
    judge(faults)
    for profile in Profile.all { judge(RuleChecker.check(tree, program, profile: profile)) }
    if let name = tree.functions.first?.name {
      expect((try? Exposure(printed, function: name)) != nil, "no exposure of \(name)")
    }
    mend(printed, wasWellFormed: faults.isEmpty)
    return 0
  }

  /// Fixes spoil nothing, and a second time there is nothing to do.
  private static func mend(_ text: String, wasWellFormed: Bool) {
    let profile = [Profile.standard]
    let fixed = FixedText.fixing(text, modelDirectory: nil, profiles: profile)
    guard fixed.text != text else { return }
    let check = TextCheck(fixed.text, modelDirectory: nil, profiles: [])
    expect(check.findings.isEmpty || !wasWellFormed, "spoilt by fixes:\n\(fixed.text)")
  }

  private static func judge(_ found: [Diagnostic]) {
    for diagnostic in found {
      expect(!diagnostic.message.isEmpty, "a diagnostic of \(diagnostic.rule) says nothing")
    }
  }
}

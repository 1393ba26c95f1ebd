import ANEProfiles
import MILEngine
import Testing

@testable import ANESimulator

/// Plays the scenes of Tests/filetests/check: what each rule says will happen, happens, and comes from
/// what the simulator does.
@Suite struct RuleSymptomTests {
  static let files = names(in: SceneText.folder).filter { $0.hasSuffix(".mil") }

  private static func text(_ file: String) throws -> String {
    let bytes = try #require(Files.read("\(SceneText.folder)/\(file)"), "\(file)")
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(arguments: files) func symptomsShow(_ file: String) throws {
    let text = try Self.text(file)
    for scene in try SceneText.all(in: text) { try Scene(scene, text: text).play() }
  }

  @Test func everyRuleHasItsScene() throws {
    for rule in Rule.all {
      let scenes = try SceneText.all(in: try Self.text("\(rule.id).mil"))
      #expect(scenes.contains { !$0.lines.isEmpty }, "\(rule.id) has no scene")
    }
  }

  @Test func noScenePlaysAnUnknownRule() {
    for file in Self.files { #expect(Rule.named(String(file.dropLast(4))) != nil, "\(file)") }
  }
}

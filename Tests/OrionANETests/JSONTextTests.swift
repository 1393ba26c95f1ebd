import ANEProfiles
import Testing

@testable import OrionANE

@Suite struct JSONTextTests {
  @Test func writesEveryKindOfValue() {
    let value = JSONText.object([
      ("a", .array([.integer(-1), .number(0.5), .bool(true), .null])),
      ("b", .text("\"\\\n\u{1}é")), ("c", .number(.infinity)),
    ])
    #expect(
      value.description
        == #"{"a": [-1, 0.5, true, null], "b": "\"\\\n\u0001é", "c": null}"#)
  }

  @Test func profilesAreReadable() throws {
    for profile in Profile.all {
      let text = profile.json.description
      #expect(text.contains("\"name\": \"\(profile.name)\""))
      #expect(text.contains("\"width_multiple\": \(profile.limits.widthMultiple)"))
    }
  }
}

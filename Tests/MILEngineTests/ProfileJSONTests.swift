import ANEProfiles
import Testing

@Suite struct ProfileJSONTests {
  /// `axisWidthMax` → `axis_width_max`, `takesFloat32IO` → `takes_float32_io`.
  private func snake(_ name: String) -> String {
    var result = ""
    var previousIsSmall = false
    for character in name {
      if character.isUppercase, previousIsSmall { result += "_" }
      previousIsSmall = !character.isUppercase
      result += character.lowercased()
    }
    return result
  }

  @Test(arguments: Profile.all.map(\.name)) func everyFieldIsThere(_ name: String) throws {
    let profile = try #require(Profile.named(name))
    let json = profile.json()
    let parts: [Any] = [
      profile, profile.limits, profile.arithmetic, profile.cost, profile.preferences,
      profile.dialect,
    ]
    let spelled = ["hidesNaN": "hides_nan"]
    for field in parts.flatMap({ Mirror(reflecting: $0).children.compactMap(\.label) }) {
      let isThere = json.contains("\"\(spelled[field] ?? snake(field))\": ")
      #expect(isThere, "\(field)")
    }
    #expect(json.contains("\"axis_width_max\": \(profile.limits.axisWidthMax)"))
    #expect(json.filter { $0 == "{" }.count == json.filter { $0 == "}" }.count)
    #expect(json.filter { $0 == "\"" }.count % 2 == 0)
  }

  @Test func rulesCarryTheirRows() throws {
    let json = Profile.standard.json()
    #expect(json.contains("{\"id\": \"sdpa-mask\", \"severity\": \"warning\", \"paper_number\": 6"))
    #expect(json.contains("{\"op\": \"rsqrt\", \"rule\": \"no-rsqrt\"}"))
    #expect(json.contains("\"mac_overflows_at\": 32768.0"))
    #expect(try #require(Profile.named("cpu")).json().contains("\"mac_overflows_at\": null"))
  }
}

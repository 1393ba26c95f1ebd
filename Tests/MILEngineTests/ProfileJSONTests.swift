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
      profile, profile.limits, profile.arithmetic, profile.conduct, profile.cost,
      profile.preferences, profile.dialect,
    ]
    let spelled = ["hidesNaN": "hides_nan", "soleIdentityIsNaN": "sole_identity_is_nan"]
    for field in parts.flatMap({ Mirror(reflecting: $0).children.compactMap(\.label) }) {
      let isThere = json.contains("\"\(spelled[field] ?? snake(field))\": ")
      #expect(isThere, "\(field)")
    }
    #expect(json.contains("\"axis_width_max\": \(profile.limits.axisWidthMax)"))
    #expect(json.filter { $0 == "{" }.count == json.filter { $0 == "}" }.count)
    #expect(json.filter { $0 == "\"" }.count % 2 == 0)
  }

  @Test(arguments: Profile.all.map(\.name)) func everyNumberHasItsSource(_ name: String) throws {
    let profile = try #require(Profile.named(name))
    let parts: [(String, Any)] =
      name == "cpu"
      ? [("cost", profile.cost)]
      : [("limits", profile.limits), ("arithmetic", profile.arithmetic), ("cost", profile.cost)]
    let assumed: Set = [
      "cost.fast_width_multiple", "cost.start_seconds", "cost.slowdown", "cost.program_slowdown",
    ]
    for (part, value) in parts {
      let fields = Mirror(reflecting: value).children.compactMap { child -> String? in
        let isZero = (child.value as? Double) == 0
        return isZero ? nil : child.label.map { "\(part).\(snake($0))" }
      }
      for field in fields where !assumed.contains(field) {
        let isThere = profile.sources.contains { $0.field == field || $0.field == part }
        #expect(isThere, "\(name): \(field) has no source")
      }
    }
    let json = profile.json()
    for source in profile.sources where source.isInterpolated {
      #expect(json.contains("\"field\": \"\(source.field)\""))
    }
  }

  /// A field of `Cost` that no row tells of would never reach whoever reads the JSON.
  @Test func everyCoefficientIsARow() throws {
    let fields = Mirror(reflecting: Profile.standard.cost).children.compactMap {
      $0.label.map(snake)
    }
    #expect(Set(fields) == Set(CostField.all.map(\.name)))
    for field in CostField.all { #expect(!field.unit.isEmpty && !field.meaning.isEmpty) }
    let json = Profile.standard.json()
    #expect(
      json.contains("{\"coefficient\": \"matmul_flops\", \"value\": 5400000000000.0, \"unit\""))
    #expect(json.contains("\"evidence\": \"fitted\""))
  }

  @Test func settingsOfAnArithmeticGiveItBack() throws {
    for profile in Profile.all {
      let settings = profile.arithmetic.settings
      let again = Arithmetic(storage: profile.arithmetic.storage, settings: settings)
      #expect(again == profile.arithmetic)
    }
    #expect(Arithmetic(storage: .fp16, settings: [1]) == nil)
  }

  @Test func rulesCarryTheirRows() throws {
    let json = Profile.standard.json()
    #expect(json.contains("{\"id\": \"sdpa-mask\", \"severity\": \"warning\", \"paper_number\": 6"))
    #expect(json.contains("{\"op\": \"rsqrt\", \"rule\": \"no-rsqrt\"}"))
    #expect(json.contains("\"mac_overflows_at\": 32768.0"))
    #expect(try #require(Profile.named("cpu")).json().contains("\"mac_overflows_at\": null"))
  }
}

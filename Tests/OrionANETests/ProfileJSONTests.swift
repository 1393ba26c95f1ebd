import ANEProfiles
import Testing

@testable import OrionANE

@Suite struct ProfileJSONTests {
  @Test(arguments: Profile.all.map(\.name)) func everyFieldIsThere(_ name: String) throws {
    let profile = try #require(Profile.named(name))
    let json = profile.json
    #expect(json["name"] == JSONValue(name))
    #expect(json["limits"]?["width_multiple"] == JSONValue(profile.limits.widthMultiple))
    for (part, value) in [
      (json["limits"], profile.limits), (json["arithmetic"], profile.arithmetic),
      (json["cost"], profile.cost), (json["preferences"], profile.preferences),
      (json["dialect"], profile.dialect), (json, profile),
    ] as [(JSONValue?, Any)] {
      guard case .object(let members)? = part else {
        Issue.record("no object for \(value)")
        continue
      }
      let fields = Mirror(reflecting: value).children.compactMap(\.label)
      #expect(members.map { Self.plain($0.name) } == fields.map(Self.plain))
    }
  }

  /// Names without their spelling: `width_min` and `widthMin` are one.
  private static func plain(_ name: String) -> String {
    name.split(separator: "_").joined().lowercased()
  }
}

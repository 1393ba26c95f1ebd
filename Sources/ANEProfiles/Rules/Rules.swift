/// The known restrictions, all of them, and the look-up by id. The rows stand in `PaperRules.swift`
/// and `LaterRules.swift`; how hard they are where stands in `RuleLists.swift`.
extension Rule {
  public static let all: [Rule] = paper + later

  /// The rule called `id`, or `nil`.
  public static func named(_ id: String) -> Rule? { byID[id] }

  private static let byID = Dictionary(
    all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
}

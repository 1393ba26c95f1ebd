/// What the functions of a text take on a chip: predictions from the text alone. Weight files stay closed
/// without a model directory, and nothing runs.
import ANEProfiles

public struct TextEstimate: Sendable {
  public struct Function: Sendable {
    public let name: String
    public let work: Work
    public let time: PredictedTime
  }

  public let profile: Profile
  /// In the order of the text.
  public let functions: [Function]

  public var compileSeconds: Double {
    profile.cost.compileTime(weightBytes: functions.reduce(0) { $0 + $1.work.streamedBytes })
  }

  /// One estimate for each profile; all faults of a text that is not well formed.
  public static func estimates(
    utf8 bytes: [UInt8], modelDirectory: String?, profiles: [Profile]
  ) throws(DiagnosticList) -> [TextEstimate] {
    let tree = try Parser.parse(utf8: bytes)
    let program = try Checker.check(tree, modelDirectory: modelDirectory)
    return profiles.map { profile in
      TextEstimate(
        profile: profile,
        functions: program.functions.map { function in
          let work = Work(Lowering(function, arithmetic: profile.arithmetic))
          return Function(name: function.name, work: work, time: work.time(on: profile.cost))
        })
    }
  }
}

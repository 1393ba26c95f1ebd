/// The compiled form of a program on disk: the checked text with its arithmetic, beside a pack of its
/// weights. Loading plans anew, which is fast, and maps the pack; no weight file is needed.
import ANEProfiles

/// What compiling found and made.
public struct CompileReport: Sendable {
  /// In the order of the text.
  public let functions: [String]
  /// Rules that the program bends.
  public let warnings: [Diagnostic]
  /// Bytes of the pack.
  public let packedBytes: Int
  /// In the order of the text.
  public let traits: [FunctionTraits]
  /// What its functions stream, as the device stores it.
  public let weightBytes: Int
}

public struct CompiledProgram {
  static let fileName = "program.orion"

  /// Parses, checks, applies the profile's rules and refusals (not for `cpu`), plans every function
  /// and packs the weights. Writes `directory`/program.orion and a file in `packs`, whose name is a
  /// hash of the weights and their forms, so that programs over the same weights share one.
  public static func compile(
    text: String, modelDirectory: String, profile: Profile, directory: String, packs: String
  ) throws(EngineError) -> CompileReport {
    let (tree, program) = try check(
      text, modelDirectory: modelDirectory, readsBlindly: profile.readsBlindly)
    let warnings = try applyRules(tree, program, profile)
    let plans = try plan(program, profile.arithmetic)
    let layout = PackLayout(plans)
    try Files.makeDirectory(directory)
    var pack = ""
    if !layout.requests.isEmpty {
      try Files.makeDirectory(packs)
      var files = WeightFiles(modelDirectory: modelDirectory, profile: profile)
      let contents = try files.contents(layout.requests)
      pack = PackedWeights.name(layout, contents: contents)
      let path = PackedWeights.path(pack, in: packs)
      if (try? PackedWeights.load(path, layout: layout)) == nil {
        try PackedWeights.write(layout, contents: contents, to: path)
      }
      withExtendedLifetime(files) {}
    }
    let record = ProgramRecord(
      profile: profile.name, arithmetic: profile.arithmetic, packs: pack.isEmpty ? [] : [pack],
      text: text)
    try record.write(to: "\(directory)/\(fileName)")
    return CompileReport(
      functions: program.functions.map(\.name), warnings: warnings,
      packedBytes: layout.requests.isEmpty ? 0 : layout.byteCount,
      traits: program.functions.map { FunctionTraits($0) },
      weightBytes: program.functions.reduce(0) {
        $0 + Work(Lowering($1, arithmetic: profile.arithmetic)).streamedBytes
      })
  }

  /// Maps and verifies checksums; `EngineError.damaged` when a byte differs or the format is another.
  public static func load(directory: String, packs: String) throws(EngineError) -> Executable {
    let path = "\(directory)/\(fileName)"
    let record = try ProgramRecord(path: path)
    let program: CheckedProgram
    let plans: [Plan]
    do throws(EngineError) {
      program = try check(record.text, modelDirectory: nil).program
      plans = try plan(program, record.arithmetic)
    } catch {
      throw .damaged("\(path) does not compile any more (\(error.message)); compile it again")
    }
    let layout = PackLayout(plans)
    var pack: PackedWeights?
    if !layout.requests.isEmpty {
      guard let name = record.packs.first else {
        throw .damaged("\(path) names no packed weights; compile the program again")
      }
      pack = try PackedWeights.load(PackedWeights.path(name, in: packs), layout: layout)
    }
    var functions: [ExecutableFunction] = []
    for (function, plan) in zip(program.functions, plans) {
      functions.append(
        ExecutableFunction(
          function, plan: plan,
          constants: try ConstantMemory(
            plan, layout: layout, packed: pack?.address(0), owner: pack),
          work: Work(Lowering(function, arithmetic: record.arithmetic))))
    }
    return Executable(functions: functions)
  }

  /// The text of a compiled program; `EngineError.damaged` as for `load`.
  public static func text(directory: String) throws(EngineError) -> String {
    try ProgramRecord(path: "\(directory)/\(fileName)").text
  }

  /// The names of the packs of a compiled program, without `.pack`.
  public static func packs(directory: String) throws(EngineError) -> [String] {
    try ProgramRecord(path: "\(directory)/\(fileName)").packs
  }

  static func check(
    _ text: String, modelDirectory: String?, readsBlindly: Bool = false
  ) throws(EngineError) -> (tree: SyntaxTree, program: CheckedProgram) {
    do throws(DiagnosticList) {
      let tree = try Parser.parse(text)
      return (
        tree,
        try Checker.check(
          tree, modelDirectory: modelDirectory, readsBlindly: readsBlindly)
      )
    } catch {
      throw .program(error)
    }
  }

  static func plan(
    _ program: CheckedProgram, _ arithmetic: Arithmetic
  ) throws(EngineError) -> [Plan] {
    var plans: [Plan] = []
    var faults: [Diagnostic] = []
    for function in program.functions {
      do throws(Diagnostic) {
        plans.append(try Plan(function, arithmetic: arithmetic))
      } catch {
        faults.append(error)
      }
    }
    guard faults.isEmpty else { throw .program(DiagnosticList(faults)) }
    return plans
  }

  /// The errors of rules that the device's compiler knows are thrown; all else that the rules say is
  /// given back, as the device finds out when it runs.
  static func applyRules(
    _ tree: SyntaxTree, _ program: CheckedProgram, _ profile: Profile
  ) throws(EngineError) -> [Diagnostic] {
    guard profile.name != Profile.cpu.name else { return [] }
    let found = RuleChecker.check(tree, program, profile: profile)
    let isRefused = found.contains {
      $0.severity == .error && Rule.named($0.rule)?.symptom.isSeenByCompiler != false
    }
    guard !isRefused else { throw .program(DiagnosticList(found)) }
    return found
  }
}

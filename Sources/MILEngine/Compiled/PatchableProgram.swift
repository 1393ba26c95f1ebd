/// A program over weight files that are written in place: planned once, packed into memory from the
/// files as they are whenever it is asked to. It keeps nothing on disk.
import ANEProfiles

public struct PatchableProgram: Sendable {
  private let program: CheckedProgram
  private let plans: [Plan]
  private let works: [Work]
  private let layout: PackLayout
  private let modelDirectory: String
  private let profile: Profile

  /// Parses, checks, applies the profile's rules and refusals (not for `cpu`) and plans.
  public init(text: String, modelDirectory: String, profile: Profile) throws(EngineError) {
    self.modelDirectory = modelDirectory
    self.profile = profile
    let tree: SyntaxTree
    (tree, program) = try CompiledProgram.check(
      text, modelDirectory: modelDirectory, readsBlindly: profile.readsBlindly)
    _ = try CompiledProgram.applyRules(tree, program, profile)
    plans = try CompiledProgram.plan(program, profile.arithmetic)
    works = program.functions.map { Work(Lowering($0, arithmetic: profile.arithmetic)) }
    layout = PackLayout(plans)
  }

  /// Packs the weights as their files hold them now. Executables of other moments keep theirs.
  public func executable() throws(EngineError) -> Executable {
    let memory = try OwnedMemory(layout.byteCount)
    var files = WeightFiles(modelDirectory: modelDirectory, profile: profile)
    let contents = try files.contents(layout.requests)
    for (request, content) in zip(layout.requests, contents) {
      request.write(content, to: memory.address + (layout.offsets[request] ?? 0))
    }
    withExtendedLifetime(files) {}
    var functions: [ExecutableFunction] = []
    for (index, function) in program.functions.enumerated() {
      let constants = try ConstantMemory(
        plans[index], layout: layout, packed: UnsafeRawPointer(memory.address), owner: memory)
      functions.append(
        ExecutableFunction(function, plan: plans[index], constants: constants, work: works[index]))
    }
    return Executable(functions: functions)
  }
}

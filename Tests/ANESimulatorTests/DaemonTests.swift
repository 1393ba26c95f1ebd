import ANEProfiles
import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the daemon does around an engine.
struct DaemonTests {
  let cache: String
  let client: Client
  init() throws {
    cache = try temporaryDirectory()
    client = try makeClient(cache: cache)
  }

  private let identity = sumProgram("f(x:2x32)->(y:2x32)")
  private let renamed = sumProgram("f(x:2x32)->(other:2x32)")

  private func expectFailure(
    _ domain: String, _ code: Int, _ text: String, _ body: () throws -> Void
  ) throws {
    let error = try #require(throws: Reported.self) { try body() }
    #expect(error.domain == domain)
    #expect(error.code == code)
    #expect(error.text.hasSuffix(text), "\(error)")
    #expect(!error.reason.isEmpty)
  }

  private let framework = "com.apple.appleneuralengine"

  @Test func anotherWorldFindsTheCompiledProgram() throws {
    let directory = try makeModelDirectory(identity)
    let options = try client.milOptions()
    try client.perform("compile", try client.model(directory, key: "1"), options: options)
    let second = try makeClient(cache: cache)
    let model = try second.model(directory, key: "1")
    #expect(try second.compiledModelExists(model))
    #expect(!(try second.compiledModelExists(try second.model(directory, key: "2"))))
    #expect(!(try second.compiledModelExists(try second.model(directory + "/x", key: "1"))))
    try second.perform("load", model)
    #expect(second.world.counters.compiles == 0)
  }

  @Test func aChangedDirectoryIsStale() throws {
    let directory = try makeModelDirectory(identity)
    let options = try client.milOptions()
    let model = try client.model(directory, key: "1")
    try client.perform("compile", model, options: options)
    usleep(20_000)
    writeFile("\(directory)/new", renamed)
    rename("\(directory)/new", "\(directory)/model.mil")
    try client.perform("load", model, options: options)
    #expect(client.world.counters.compilesInsideLoad == 1)
    #expect(client.world.counters.compiles == 2)
    let description = try client.value(
      try client.get(model, "modelAttributes"), "ANEFModelDescription")
    let outputs = try client.elements(
      try client.value(description, "kANEFModelOutputSymbolsArrayKey"))
    #expect(try client.text(outputs[0]) == "other@output")
  }

  @Test func aFileWrittenInPlaceIsNotStale() throws {
    let directory = try makeModelDirectory(identity)
    let model = try client.model(directory, key: "1")
    try client.perform("compile", model, options: try client.milOptions())
    usleep(20_000)
    writeFile("\(directory)/model.mil", renamed)
    try client.perform("load", model)
    #expect(client.world.counters.compiles == 1)
    let description = try client.value(
      try client.get(model, "modelAttributes"), "ANEFModelDescription")
    let outputs = try client.elements(
      try client.value(description, "kANEFModelOutputSymbolsArrayKey"))
    #expect(try client.text(outputs[0]) == "y@output")
  }

  @Test func damageIsHealed() throws {
    let directory = try makeModelDirectory(identity)
    let options = try client.milOptions()
    let model = try client.model(directory, key: "1")
    try client.perform("compile", model, options: options)
    let source = ModelSource(
      method: "", directory: directory, key: "1", type: nil, fileName: "model.mil")
    let profile = client.world.profile
    let store = try ModelCache(directory: cache, profile: profile.name, osBuild: profile.osBuild)
    writeFile("\(store.entry(of: source))/program.orion", "scrambled")
    try client.perform("load", model, options: options)
    #expect(client.world.counters.compilesInsideLoad == 1)
    #expect(client.world.counters.loadedPrograms == 1)
  }

  @Test func purgingForgets() throws {
    let model = try client.loadedModel(identity)
    #expect(try client.compiledModelExists(model))
    try client.purge(model)
    #expect(!(try client.compiledModelExists(model)))
    #expect(try client.number(model, "state") == 3)
  }

  @Test func textMayBeElsewhere() throws {
    let directory = try makeModelDirectory("nonsense")
    writeFile("\(directory)/other.mil", identity)
    let model = try client.model(directory, key: "1")
    try client.perform("load", model, options: try client.milOptions(file: "other.mil"))
    let outside = try client.model(directory, key: "2")
    try expectFailure(framework, 9, "file access failure") {
      try client.perform("compile", outside, options: try client.milOptions(file: "../x.mil"))
    }
  }

  @Test func withoutATypeAnEspressoNetworkIsExpected() throws {
    let model = try client.model(try makeModelDirectory(identity), key: "1")
    try expectFailure(
      "com.apple.appleneuralengine.espresso", -1, "/model.espresso.net'"
    ) { try client.perform("compile", model) }
    #expect(try client.number(model, "state") == 5)
    let other = try client.dictionary([
      (try client.string("kANEFModelType"), try client.string("kANEFModelANECIR"))
    ])
    try expectFailure(framework, 25, "Not supported") {
      try client.perform("compile", model, options: other)
    }
  }

  @Test(arguments: [
    ("program(1.3) { nonsense }", "InvalidMILProgram"),
    (
      "program(1.3) { func f<ios18>(tensor<fp16, [1, 2, 1, 32]> x) {"
        + " tensor<fp16, [1, 2, 1, 33]> y = relu(x = x); } -> (y); }", "InvalidMILProgram"
    ),
    (
      "program(1.3) { func f<ios18>(tensor<fp16, [1, 2, 1, 32]> x) {"
        + " fp16 e = const()[val = fp16(0x1p-10)];"
        + " tensor<fp16, [1, 2, 1, 32]> y = rsqrt(x = x, epsilon = e); } -> (y); }",
      "CompilationFailure"
    ),
  ])
  func wrongProgramsFailToCompile(text: String, cause: String) throws {
    let directory = try makeModelDirectory(text)
    let model = try client.model(directory, key: "1")
    let error = try #require(throws: Reported.self) {
      try client.perform("compile", model, options: try client.milOptions())
    }
    #expect(error.domain == "com.apple.appleneuralengine.compiler")
    #expect(error.code == 1)
    #expect(error.text == "_ANECompiler : ANECCompile() FAILED")
    #expect(error.reason.hasPrefix("\(cause): \(directory)/model.mil:1:"), "\(error)")
    #expect(!(try client.compiledModelExists(model)))
  }

  @Test func diagnosticsComeWithTheError() throws {
    let text = "program(1.3) {\n func f<ios18>(tensor<fp16, [1, 2, 1, 32]> x) {\n } -> (y); }"
    let model = try client.model(try makeModelDirectory(text), key: "1")
    let connection = try client.connection()
    let name = "compileModel:options:qos:error:"
    let compile = try client.method(connection, name, as: Client.ModelCall.self)
    try client.pool { () throws in
      var error: ID?
      let compiled = compile(
        connection, try client.selector(name), model, try client.milOptions(), 21, &error)
      #expect(!compiled)
      let info = try client.get(try #require(error), "userInfo")
      let diagnostics = try client.text(try client.value(info, "OrionSimulatorDiagnostics"))
      #expect(try #require(diagnostics).contains("model.mil:3:"))
    }
  }

  @Test func missingFilesAreNamed() throws {
    let options = try client.milOptions()
    let empty = try client.model(try temporaryDirectory(), key: "1")
    try expectFailure(framework, 16, "compileModel:options:qos:error:: file not found") {
      try client.perform("compile", empty, options: options)
    }
    let absent = try client.model("/nonexistent/model", key: "1")
    try expectFailure(framework, 16, "loadModel:options:qos:error:: file not found") {
      try client.perform("load", absent, options: options)
    }
  }

  @Test func modelsNeedAnIdentity() throws {
    try expectFailure(framework, 10, ": invalid model") { try client.perform("load", nil) }
    let model = try client.model("/tmp", key: "")
    try expectFailure(framework, 11, ": invalid model key") { try client.perform("load", model) }
  }

  @Test func realTimeIsRestricted() throws {
    let model = try client.model(try makeModelDirectory(identity), key: "1")
    try expectFailure(framework, 2, "entitlement") {
      try client.perform("load", model, options: try client.milOptions(), qos: 0)
    }
    for qos in [9, 17, 25, 33] as [UInt32] {
      try client.perform("load", model, options: try client.milOptions(), qos: qos)
      try client.perform("unload", model)
    }
  }

  @Test func loadedProgramsAreLimited() throws {
    let directory = try makeModelDirectory(identity)
    let options = try client.milOptions()
    let limit = client.world.profile.limits.loadedProgramsMax
    let models = try (0...limit).map { try client.model(directory, key: "\($0)") }
    for model in models.dropLast() { try client.perform("load", model, options: options) }
    let last = try #require(models.last)
    try expectFailure(framework, 6, "loadModel:options:qos:error:: Program load failure (0x50004)")
    {
      try client.perform("load", last, options: options)
    }
    #expect(client.world.counters.loadedPrograms == limit)
    try client.perform("unload", models[3])
    try client.perform("load", last, options: options)
    // A model that dies gives its place back too.
    try client.release(models[5])
    #expect(client.world.counters.loadedPrograms == limit - 1)
  }

  @Test func addressSpaceIsLimited() throws {
    let model = try client.model(try makeModelDirectory(identity), key: "1")
    let options = try client.milOptions()
    let surface = try client.flatSurface(client.world.profile.limits.addressSpaceBytes)
    try expectFailure(framework, 6, "Program load failure (0x20004)") {
      try client.perform("load", model, options: options)
    }
    try client.release(surface)
    try client.perform("load", model, options: options)
  }

  @Test func loadingTwiceLoadsOnce() throws {
    let model = try client.loadedModel(identity)
    try client.perform("load", model)
    #expect(client.world.counters.loads == 1)
    try client.perform("unload", model)
    try expectFailure(framework, 10, ": invalid model") { try client.perform("unload", model) }
  }

  @Test func cachesThatCannotBeWrittenAreNamed() throws {
    writeFile("\(cache)/file", "")
    let error = try #require(throws: SimulatorError.self) {
      try World(profile: .standard, cacheDirectory: "\(cache)/file")
    }
    #expect(error.description.contains("\(cache)/file/sim/"))
  }
}

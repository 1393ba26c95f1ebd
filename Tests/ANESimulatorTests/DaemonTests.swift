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
  private var cost: Cost { client.world.profile.cost }

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

  @Test func compileLoadEvaluateUnload() throws {
    let directory = try makeModelDirectory(sumProgram("f(b:3x32,a:3x32)->(z:3x32)"))
    let model = try client.model(directory, key: "1")
    let options = try client.milOptions()
    #expect(try client.number(model, "state") == 1)
    #expect(!(try client.compiledModelExists(model)))
    try client.perform("compile", model, options: options)
    #expect(try client.compiledModelExists(model))
    let count = try client.function(
      "CFDictionaryGetCount", as: (@convention(c) (ID?) -> Int).self)
    #expect(count(try client.get(model, "modelAttributes")) == 0)
    try client.perform("load", model)
    #expect(try client.number(model, "state") == 3)
    #expect(Int8(truncatingIfNeeded: try client.number(model, "queueDepth")) == 127)

    // One row each, and rows at the stride that the attributes give.
    let rows = [
      ("Width", 32), ("Height", 3), ("BytesPerElement", 2), ("BytesPerRow", 64),
      ("AllocSize", 192), ("PixelFormat", 0),
    ]
    let planes = try (0..<2).map { _ in try #require(try client.surface(rows)) }
    let surfaces = [try client.flatSurface(3 * 64)] + planes
    for (index, surface) in surfaces.enumerated() {
      try client.bytes(of: surface) { base in
        for row in 0..<3 {
          base.storeBytes(
            of: Float16(10 * index + row + 1), toByteOffset: row * 64, as: Float16.self)
        }
      }
    }
    // Symbols are sorted by name: a is 0, b is 1.
    try client.evaluate(
      model, inputs: [(1, surfaces[0]), (0, surfaces[1])], outputs: [(0, surfaces[2])])
    try client.bytes(of: surfaces[2]) { base in
      let column = (0..<3).map { base.load(fromByteOffset: $0 * 64, as: Float16.self) }
      #expect(column == [12, 14, 16])
    }
    try client.perform("unload", model)
    #expect(try client.number(model, "state") == 1)
    #expect(Files.isDirectory(directory))
    let counters = client.world.counters
    #expect(
      counters
        == DaemonCounters(
          compiles: 1, loads: 1, unloads: 1, evals: 1, loadedPrograms: 0, compilesInsideLoad: 0))
    for object in surfaces + [model, options] { try client.release(object) }
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func attributesDescribeTheProgram() throws {
    let model = try client.loadedModel(
      sumProgram("g(b:3x64,a:3x64)->(z:3x64)\nf(a:4x32)->(e:4x32,c:4x32)"))
    let attributes = try client.get(model, "modelAttributes")
    let description = try client.value(attributes, "ANEFModelDescription")
    func texts(_ key: String) throws -> [String?] {
      try client.elements(try client.value(description, key)).map { try client.text($0) }
    }
    #expect(try texts("kANEFModelInputSymbolsArrayKey") == ["a", "a", "b"])
    #expect(try texts("kANEFModelOutputSymbolsArrayKey") == ["c@output", "e@output", "z@output"])
    let map = try client.value(description, "kANEFModelProcedureNameToIDMapKey")
    #expect(try client.integer(try client.value(map, "g")) == 0)
    #expect(try client.integer(try client.value(map, "f")) == 1)
    let procedures = try client.elements(try client.value(description, "ANEFModelProcedures"))
    func indices(_ procedure: Int, _ key: String) throws -> [Int?] {
      try client.elements(try client.value(procedures[procedure], key)).map {
        try client.integer($0)
      }
    }
    #expect(try indices(0, "ANEFModelInputSymbolIndexArray") == [0, 2])
    #expect(try indices(0, "ANEFModelOutputSymbolIndexArray") == [2])
    #expect(try indices(1, "ANEFModelInputSymbolIndexArray") == [1])
    #expect(try indices(1, "ANEFModelOutputSymbolIndexArray") == [0, 1])
    let networks = try client.elements(try client.value(attributes, "NetworkStatusList"))
    #expect(try client.text(try client.value(networks[1], "Name")) == "f")
    let live = try client.elements(try client.value(networks[0], "LiveInputList"))
    let numbers = try [
      "BatchSize", "Channels", "Height", "Width", "Depth", "RowStride", "PlaneStride",
    ]
    .map { try client.integer(try client.value(live[1], $0)) }
    #expect(numbers == [1, 3, 1, 64, 1, 128, 128])
    #expect(try client.text(try client.value(live[1], "Name")) == "b")
    #expect(try client.text(try client.value(live[1], "Type")) == "Float16")

    let symbols = try client.method(
      model, "inputSymbolIndicesForProcedureIndex:",
      as: (@convention(c) (ID?, ID?, UInt32) -> ID?).self)
    try client.pool {
      let selector = try client.selector("inputSymbolIndicesForProcedureIndex:")
      let set = try #require(symbols(model, selector, 0))
      #expect(try client.number(set, "count") == 2)
      #expect(try client.number(set, "firstIndex") == 0)
      let next = try client.method(
        set, "indexGreaterThanIndex:", as: (@convention(c) (ID?, ID?, UInt) -> UInt).self)
      #expect(next(set, try client.selector("indexGreaterThanIndex:"), 0) == 2)
      #expect(next(set, try client.selector("indexGreaterThanIndex:"), 2) == UInt(Int.max))
      #expect(try client.number(try #require(symbols(model, selector, 7)), "count") == 0)
    }
  }

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

  @Test func wrongRequestsFail() throws {
    let model = try client.loadedModel(sumProgram("f(a:3x32,b:3x32)->(z:3x32)"))
    let good = try (0..<3).map { _ in try client.flatSurface(192) }
    let small = try client.flatSurface(191)
    let odd = try #require(
      try client.surface([("Width", 10), ("Height", 10), ("BytesPerRow", 50), ("AllocSize", 4096)]))
    let output = [(0, good[2])]
    let cases: [(String, [(Int, ID)], [(Int, ID)], Int)] = [
      ("0x1d", [(0, good[0])], output, 0),
      ("0x1d", [(0, good[0]), (0, good[1])], output, 0),
      ("0x1d", [(0, small), (1, good[1])], output, 0),
      ("0x1d", [(0, good[0]), (1, odd)], output, 0),
      ("0x1d", [(0, good[0]), (1, good[1])], [], 0),
      ("0x2", [(0, good[0]), (2, good[1])], output, 0),
      ("0x2", [(0, good[0]), (1, good[1])], [(1, good[2])], 0),
      ("0x2", [(0, good[0]), (1, good[1])], output, 1),
    ]
    for (status, inputs, outputs, procedure) in cases {
      try expectFailure(
        framework, 8,
        "ANEProgramProcessRequestDirect() Failed with status=\(status)"
          + " : statusType=0x9: Program Inference error"
      ) { try client.evaluate(model, inputs: inputs, outputs: outputs, procedure: procedure) }
    }
    #expect(client.world.counters.evals == 0)
    // One surface as input and output works on this route.
    try client.evaluate(model, inputs: [(0, good[0]), (1, good[1])], outputs: [(0, good[0])])
    try client.perform("unload", model)
    try expectFailure(framework, 23, "Program Inference error") {
      try client.evaluate(model, inputs: [(0, good[0]), (1, good[1])], outputs: output)
    }
  }

  @Test func directEvaluationIsTheSame() throws {
    let model = try client.loadedModel(identity)
    let surface = try client.flatSurface(128)
    try client.evaluate(
      model, inputs: [(0, surface)], outputs: [(0, surface)],
      message: "doEvaluateDirectWithModel:options:request:qos:error:")
    #expect(client.world.counters.evals == 1)
  }

  @Test func theClockAdds() throws {
    let model = try client.model(try makeModelDirectory(identity), key: "1")
    let options = try client.milOptions()
    try client.perform("compile", model, options: options)
    #expect(client.world.virtualSeconds == cost.compileSeconds)
    try client.perform("load", model)
    var expected = cost.compileSeconds + cost.loadSeconds
    #expect(client.world.virtualSeconds == expected)
    let surface = try client.flatSurface(128)
    // 256 bytes in and out, 2 of the constant; no products.
    let memory = 258 / cost.weightBytes
    for _ in 0..<3 {
      try client.evaluate(model, inputs: [(0, surface)], outputs: [(0, surface)])
      expected += cost.dispatchSeconds + memory
    }
    try client.perform("unload", model)
    #expect(abs(client.world.virtualSeconds - expected - cost.unloadSeconds) < 1e-12)
  }

  @Test func cachesThatCannotBeWrittenAreNamed() throws {
    writeFile("\(cache)/file", "")
    let error = try #require(throws: SimulatorError.self) {
      try World(profile: .standard, cacheDirectory: "\(cache)/file")
    }
    #expect(error.description.contains("\(cache)/file/sim/"))
  }
}

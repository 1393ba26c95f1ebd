import ANEProfiles
import Testing

@testable import ANESimulator

struct EvaluationTests {
  let client: Client
  init() throws { client = try makeClient() }

  private let identity = sumProgram("f(x:2x32)->(y:2x32)")
  private var cost: Cost { client.world.profile.cost }

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
        8,
        "ANEProgramProcessRequestDirect() Failed with status=\(status)"
          + " : statusType=0x9: Program Inference error"
      ) { try client.evaluate(model, inputs: inputs, outputs: outputs, procedure: procedure) }
    }
    #expect(client.world.counters.evals == 0)
    // One surface as input and output works on this route.
    try client.evaluate(model, inputs: [(0, good[0]), (1, good[1])], outputs: [(0, good[0])])
    try client.perform("unload", model)
    try expectFailure(23, "Program Inference error") {
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

  @Test func everyFactoryMakesARequest() throws {
    let model = try client.loadedModel(identity)
    let surface = try client.flatSurface(128)
    let cls = try client.cls("_ANERequest")
    let start = "requestWithInputs:inputIndices:outputs:outputIndices:"
    typealias Five = @convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, ID?) -> ID?
    typealias Six = @convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?) -> ID?
    try client.pool { () throws in
      let objects = try client.array([try client.wrapped(surface)])
      let indices = try client.array([try client.integer(0)])
      let (procedure, statistics) = (try client.integer(0), try client.array([]))
      let weights = try client.wrapped(surface)
      let five = "\(start)procedureIndex:"
      var requests = [
        try client.method(cls, five, as: Five.self)(
          cls, try client.selector(five), objects, indices, objects, indices, procedure)
      ]
      for (name, extra) in [("perfStats", statistics), ("weightsBuffer", weights)] {
        let six = "\(start)\(name):procedureIndex:"
        requests.append(
          try client.method(cls, six, as: Six.self)(
            cls, try client.selector(six), objects, indices, objects, indices, extra, procedure))
      }
      for request in requests { try client.evaluate(model, request) }
      // Statistics are an array of objects, not one object.
      let six = "\(start)perfStats:procedureIndex:"
      let wrong = try client.method(cls, six, as: Six.self)(
        cls, try client.selector(six), objects, indices, objects, indices, weights, procedure)
      #expect(wrong == nil)
    }
    #expect(client.world.counters.evals == 3)
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].contains("perfStats is an object of class _ANEIOSurfaceObject"))
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
    // 128 bytes in, 128 out, one pass over the result; no products.
    let memory = 128 / cost.inputBytes + 128 / cost.outputBytes
    let pass = 128 / cost.weightBytes
    for _ in 0..<3 {
      try client.evaluate(model, inputs: [(0, surface)], outputs: [(0, surface)])
      expected += cost.dispatchSeconds + memory + pass
    }
    try client.perform("unload", model)
    #expect(abs(client.world.virtualSeconds - expected - cost.unloadSeconds) < 1e-12)
  }

  private func expectFailure(_ code: Int, _ text: String, _ body: () throws -> Void) throws {
    let error = try #require(throws: Reported.self) { try body() }
    #expect(error.domain == "com.apple.appleneuralengine")
    #expect(error.code == code)
    #expect(error.text.hasSuffix(text), "\(error)")
    #expect(!error.reason.isEmpty)
  }
}

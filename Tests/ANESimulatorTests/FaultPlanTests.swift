import Testing

@testable import ANESimulator

/// Fault plans: their text, and what each effect does.
struct FaultPlanTests {
  let client: Client
  let text = sumProgram("f(x:2x32)->(y:2x32)")
  init() throws { client = try makeClient() }

  @Test func plansAreRead() throws {
    let plan = try FaultPlan(
      " load@3=error:6/0x50004; eval@2+=delay:0.5;compile@1 = disconnect ; file@4=full;")
    #expect(
      plan.rows == [
        .init(
          operation: .load, number: 3, isLasting: false, effect: .error(code: 6, status: 0x50004)),
        .init(operation: .eval, number: 2, isLasting: true, effect: .delay(seconds: 0.5)),
        .init(operation: .compile, number: 1, isLasting: false, effect: .disconnect),
        .init(operation: .file, number: 4, isLasting: false, effect: .full),
      ])
    #expect(try FaultPlan("") == .none)
  }

  @Test(arguments: [
    ("lod@3=full", "column 1: \"lod\" is no operation; there are compile, load, map, eval"),
    ("load3=full", "column 1: \"load3\" is no operation"),
    ("load", "column 5: expected \"@\" before the end"),
    ("load@0=stale", "column 6: expected a number from 1"),
    ("load@1=error:99", "column 14: expected an error code of the framework"),
    ("load@1=error:6/x", "column 16: expected a status"),
    ("load@1=delay:-1", "column 14: expected seconds"),
    ("load@1=stale eval@2=delay:1", "column 14: expected \";\", found \"e\""),
    ("eval@1=burn", "column 8: \"burn\" is no effect"),
    ("load@1=stale; eval@2=stale", "column 22: eval cannot stale; it takes error, delay"),
  ])
  func faultsOfAPlanNameTheirPlace(text: String, message: String) throws {
    let error = try #require(throws: SimulatorError.self) { try FaultPlan(text) }
    #expect(error.description.hasPrefix("fault plan, " + message), "\(error)")
  }

  private func follow(_ plan: String) throws { client.world.follow(try FaultPlan(plan)) }

  private func code(_ body: () throws -> Void) throws -> (String, Int) {
    let error = try #require(throws: Reported.self) { try body() }
    return (error.domain, error.code)
  }

  @Test func theNthLoadFails() throws {
    try follow("load@2=error:6/0x50004")
    let first = try client.loadedModel(text)
    try client.perform("unload", first)
    let options = try client.milOptions()
    let error = try #require(throws: Reported.self) {
      try client.perform("load", first, options: options)
    }
    #expect(error.text == "loadModel:options:qos:error:: Program load failure (0x50004)")
    try client.perform("load", first, options: options)
    #expect(client.world.misfortunes == ["load 2: error"])
  }

  @Test func delaysCountOnTheVirtualClock() throws {
    let model = try client.model(try makeModelDirectory(text), key: "1")
    try follow("load@1=delay:29; load@2=delay:31")
    let before = client.world.virtualSeconds
    try client.perform("load", model, options: try client.milOptions())
    #expect(client.world.virtualSeconds - before > 29)
    try client.perform("unload", model)
    #expect(
      try code { try client.perform("load", model, options: try client.milOptions()) }.1 == 3)
  }

  @Test func aLostConnectionLosesTheLoadedPrograms() throws {
    let model = try client.loadedModel(text)
    try follow("eval@1=disconnect")
    let surface = try client.flatSurface(128)
    let other = try client.flatSurface(128)
    let evaluate = { try client.evaluate(model, inputs: [(0, surface)], outputs: [(0, other)]) }
    #expect(try code(evaluate) == ("NSCocoaErrorDomain", 4097))
    #expect(client.world.counters.loadedPrograms == 0)
    #expect(try code(evaluate).1 == 23)
    try client.perform("unload", model)
    try client.perform("load", model, options: try client.milOptions())
    try evaluate()
  }

  @Test func aFullDiskLeavesNothing() throws {
    let model = try client.model(try makeModelDirectory(text), key: "1")
    let options = try client.milOptions()
    var failures = 0
    for number in 1...50 {
      try follow("file@\(number)=full")
      do {
        try client.perform("compile", model, options: options)
        break
      } catch let error as Reported {
        #expect(error.code == 9, "\(error)")
        #expect(!(try client.compiledModelExists(model)))
        failures += 1
      }
    }
    #expect(failures > 2 && failures < 49)
    try follow("compile@1=full")
    try client.purge(model)
    #expect(try code { try client.perform("compile", model, options: options) }.1 == 9)
    try client.perform("load", model, options: options)
  }

  @Test func aFlippedBitIsNoticedAndCompiledAnew() throws {
    let model = try client.loadedModel(text)
    try client.perform("unload", model)
    try follow("load@1=flip")
    try client.perform("load", model, options: try client.milOptions())
    #expect(client.world.counters.compilesInsideLoad == 2)
  }

  @Test func refusalsAreTheCompilers() throws {
    let model = try client.model(try makeModelDirectory(text), key: "1")
    try follow("compile@1=refuse")
    #expect(
      try code { try client.perform("compile", model, options: try client.milOptions()) }
        == ("com.apple.appleneuralengine.compiler", 1))
  }

  @Test func surfacesCanFail() throws {
    try follow("map@1=error:13")
    #expect(try client.surface([("Width", 64), ("Height", 1)]) == nil)
    #expect(try client.surface([("Width", 64), ("Height", 1)]) != nil)
  }
}

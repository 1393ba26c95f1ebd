import ANEProfiles
import Testing

@testable import ANESimulator

/// Models in memory: identity, the files that are written and deleted, and what the daemon serves.
struct MemoryModelTests {
  let client: Client
  init() throws { client = try makeClient() }

  private let text = sumProgram("f(x:2x32)->(y:2x32)")
  private let framework = "com.apple.appleneuralengine"

  /// 2 x 32 halves of one value go in; the first that comes out.
  private func run(_ model: ID, _ value: Float16 = 3) throws -> Float16 {
    let (x, y) = (try client.flatSurface(2 * 64), try client.flatSurface(2 * 64))
    defer {
      try? client.release(x)
      try? client.release(y)
    }
    try client.bytes(of: x) { bytes in
      for index in 0..<64 {
        bytes.storeBytes(of: value.bitPattern, toByteOffset: 2 * index, as: UInt16.self)
      }
    }
    try client.memoryEvaluate(model, inputs: [(0, x)], outputs: [(0, y)])
    return try client.bytes(of: y) { Float16(bitPattern: $0.load(as: UInt16.self)) }
  }

  /// The way of published clients: the files by hand, then compile, load, evaluate, unload.
  @Test func theUsualSequence() throws {
    let model = try client.memoryModel(text)
    let directory = try #require(try client.text(of: model, "localModelPath"))
    let identity = try #require(try client.text(of: model, "hexStringIdentifier"))
    #expect(directory.hasSuffix("/" + identity))
    #expect(identity.split(separator: "_").count == 3)
    #expect(Files.makeDirectory(directory))
    writeFile("\(directory)/model.mil", text)
    #expect(try client.number(model, "compiledModelExists") & 1 == 0)
    try client.memory("compile", model)
    #expect(names(in: directory) == ["model.mil", "net.plist"])
    #expect(try client.number(model, "compiledModelExists") & 1 == 1)
    try client.memory("load", model)
    #expect(try client.number(model, "state") == 3)
    #expect(try run(model) == 3)
    try client.memoryUnload(model)
    #expect(!Files.isDirectory(directory))
    // The daemon has the program: no file is needed, none is written.
    try client.memory("load", model)
    #expect(try run(model, 5) == 5)
    #expect(!Files.isDirectory(directory))
    #expect(client.world.counters.compiles == 1)
    try client.release(model)
    #expect(client.world.counters.loadedPrograms == 0)
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func theFrameworkWritesTheTextUnderAnotherName() throws {
    let model = try client.memoryModel(text)
    let error = try #require(throws: Reported.self) { try client.memory("compile", model) }
    #expect(error.code == 16, "\(error)")
    #expect(try client.number(model, "state") == 5)
    // Told of that name, the daemon needs no file made by hand.
    let options = try client.dictionary([
      (try client.string("kANEFNetPlistFilenameKey"), try client.string("net.plist"))
    ])
    try client.memory("compile", model, options: options)
    try client.memory("load", model)
    #expect(try run(model) == 3)
  }

  @Test func aURLOfItsOwnKeepsTheFrameworkFromWriting() throws {
    let directory = try makeModelDirectory(text)
    let model = try client.memoryModel(text)
    try client.setURL(model, directory)
    try client.memory("load", model)
    #expect(client.world.counters.compilesInsideLoad == 1)
    #expect(names(in: directory) == ["model.mil"])
    try client.memoryUnload(model)
    #expect(names(in: directory) == ["model.mil"])
    #expect(!Files.isDirectory(try #require(try client.text(of: model, "localModelPath"))))
  }

  @Test func equalContentsAreOneProgram() throws {
    let directory = try makeModelDirectory(text)
    let first = try client.memoryModel(
      text, weights: [("@model_path/a", [("data", try client.data([1, 2]))])])
    let second = try client.memoryModel(
      text,
      weights: [
        ("@model_path/b", [("offset", try client.integer(0)), ("data", try client.data([1, 2]))])
      ])
    let third = try client.memoryModel(
      text, weights: [("@model_path/a", [("data", try client.data([1, 3]))])])
    let identities = try [first, second, third].map {
      try client.text(of: $0, "hexStringIdentifier")
    }
    #expect(identities[0] == identities[1] && identities[0] != identities[2])
    try client.setURL(first, directory)
    try client.memory("compile", first)
    try client.memory("load", second)
    #expect(client.world.counters.compiles == 1)
  }

  @Test func weightsOverwriteEachOther() throws {
    let model = try client.memoryModel(
      text,
      weights: [
        ("@model_path/a", [("data", try client.data([1]))]),
        ("@model_path/b", [("data", try client.data([2]))]),
      ])
    _ = try client.get(model, "saveModelFiles")
    let directory = try #require(try client.text(of: model, "localModelPath"))
    #expect(names(in: directory) == ["data", "net.plist"])
    #expect(Files.read("\(directory)/data") == [2])
    #expect(try client.get(model, "descriptor") == nil)
  }

  /// Purging, rewriting and loading stores what the files hold now under the identity of what they
  /// held first: later runs get it.
  @Test func purgingAndRewritingPoisonsTheCache() throws {
    let other = sumProgram("f(x:2x32,z:2x32)->(y:2x32)")
    let directory = try makeModelDirectory(text)
    let model = try client.memoryModel(text)
    try client.setURL(model, directory)
    try client.memory("compile", model)
    try client.tell(model, "purgeCompiledModel")
    writeFile("\(directory)/model.mil", other)
    try client.memory("load", model)
    let later = try client.memoryModel(text)
    try client.memory("load", later)
    try client.pool { () throws in
      let attributes = try client.get(later, "modelAttributes")
      let description = try client.value(attributes, "ANEFModelDescription")
      let symbols = try client.elements(
        try client.value(description, "kANEFModelInputSymbolsArrayKey"))
      #expect(try symbols.map { try client.text($0) } == ["x", "z"])
    }
  }

  @Test func whatIsNoDescriptorIsNil() throws {
    #expect(try client.descriptor(text, weights: [("@model_path/a", [])]) == nil)
    let number = try client.integer(3)
    #expect(try client.descriptor(text, weights: [("@model_path/a", [("data", number)])]) == nil)
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].contains("which is no NSData"))
  }

  @Test func failuresHaveTheirCodes() throws {
    let model = try client.memoryModel(text)
    func code(_ body: () throws -> Void) throws -> Int {
      try #require(throws: Reported.self) { try body() }.code
    }
    #expect(try code { try client.memory("load", model, qos: 0) } == 2)
    #expect(try code { try client.memoryUnload(model) } == 10)
    #expect(try code { _ = try run(model) } == 23)
    let name = "mapIOSurfacesWithRequest:cacheInference:error:"
    let map = try client.method(
      model, name,
      as: (@convention(c) (ID?, ID?, ID?, Bool, UnsafeMutablePointer<ID?>?) -> Bool).self)
    try client.pool { () throws in
      var error: ID?
      #expect(!map(model, try client.selector(name), nil, true, &error))
      let reported = try client.reported(error)
      #expect(reported.code == 13 && reported.text.hasSuffix("(0x12)"))
    }
  }

  @Test func aProfileThatReadsFilesAgainKeepsTheDirectory() throws {
    let client = try makeClient(profile: .paper)
    let model = try client.memoryModel(text)
    let directory = try #require(try client.text(of: model, "localModelPath"))
    #expect(Files.makeDirectory(directory))
    writeFile("\(directory)/model.mil", text)
    try client.memory("load", model)
    try client.memoryUnload(model)
    #expect(names(in: directory).contains("model.mil"))
  }
}

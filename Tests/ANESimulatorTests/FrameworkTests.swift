import ANEProfiles
import Testing

@testable import ANESimulator

struct FrameworkTests {
  let client: Client
  init() throws { client = try makeClient() }

  @Test(arguments: [
    ("_ANEClient", "compileModel:options:qos:error:", "B44@0:8@16@24I32^@36"),
    ("_ANEClient", "loadModel:options:qos:error:", "B44@0:8@16@24I32^@36"),
    ("_ANEClient", "unloadModel:options:qos:error:", "B44@0:8@16@24I32^@36"),
    ("_ANEClient", "evaluateWithModel:options:request:qos:error:", "B52@0:8@16@24@32I40^@44"),
    ("_ANEClient", "compiledModelExistsFor:", "B24@0:8@16"),
    ("_ANEClient", "purgeCompiledModel:", "v24@0:8@16"),
    ("_ANEModel", "modelAttributes", "@16@0:8"),
    ("_ANEModel", "programHandle", "Q16@0:8"),
    ("_ANEModel", "queueDepth", "c16@0:8"),
    ("_ANEModel", "inputSymbolIndicesForProcedureIndex:", "@20@0:8I16"),
    ("_ANERequest", "validate", "B16@0:8"),
  ])
  func instanceMethodsHaveEncodings(cls: String, selector: String, encoding: String) throws {
    let find = try client.function("class_getInstanceMethod", as: Client.Two.self)
    let encode = try client.function("method_getTypeEncoding", as: Client.One.self)
    let method = find(try client.cls(cls), try client.selector(selector))
    let text = try #require(encode(method)).assumingMemoryBound(to: CChar.self)
    #expect(String(cString: text) == encoding)
  }

  @Test(arguments: [
    ("_ANEClient", "sharedConnection", "@16@0:8"),
    ("_ANEModel", "modelAtURL:key:", "@32@0:8@16@24"),
    ("_ANEIOSurfaceObject", "objectWithIOSurface:", "@24@0:8^{__IOSurface=}16"),
    (
      "_ANERequest", "requestWithInputs:inputIndices:outputs:outputIndices:procedureIndex:",
      "@56@0:8@16@24@32@40@48"
    ),
    (
      "_ANERequest",
      "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:",
      "@72@0:8@16@24@32@40@48@56@64"
    ),
    ("_ANEDeviceInfo", "hasANE", "B16@0:8"), ("_ANEDeviceInfo", "numANECores", "I16@0:8"),
    ("_ANEQoSMapper", "queueIndexForQoS:", "Q20@0:8I16"),
  ])
  func classMethodsHaveEncodings(cls: String, selector: String, encoding: String) throws {
    #expect(try client.encoding(try client.cls(cls), selector) == encoding)
  }

  @Test func newerFactoriesAreAbsent() throws {
    let name =
      "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:"
    let cls = try client.cls("_ANERequest")
    #expect(try client.encoding(cls, name + "sharedEvents:") == nil)
    #expect(try client.encoding(cls, name + "sharedEvents:transactionHandle:") == nil)
    let later = try makeClient(profile: .m5macOS26)
    let there = try later.cls("_ANERequest")
    #expect(
      try later.encoding(there, name + "sharedEvents:")
        == "@80@0:8@16@24@32@40@48@56@64@72")
    #expect(
      try later.encoding(there, name + "sharedEvents:transactionHandle:")
        == "@88@0:8@16@24@32@40@48@56@64@72@80")
  }

  @Test func everyMethodTakesTheTypesItStates() throws {
    for row in FrameworkClasses.rows {
      for method in row.classMethods + row.instanceMethods {
        let colons = method.name.count { $0 == ":" }
        let encoding = String(cString: method.encoding)
        let offsets = encoding.split { !$0.isNumber }.dropFirst().count
        #expect(offsets == colons + 2, "\(row.name) \(method.name) \(encoding)")
      }
    }
  }

  @Test func constantsHaveTheirTexts() throws {
    #expect(try client.text(try client.constant("kANEFModelTypeKey")) == "kANEFModelType")
    #expect(try client.text(try client.constant("kANEFModelMILValue")) == "kANEFModelMIL")
    #expect(
      try client.text(try client.constant("kANEFNetPlistFilenameKey"))
        == "kANEFNetPlistFilenameKey")
    #expect(
      try client.text(try client.constant("kANEFModelDescriptionKey")) == "ANEFModelDescription")
  }

  @Test func deviceIsTheProfile() throws {
    let info = try client.cls("_ANEDeviceInfo")
    #expect(try client.number(info, "hasANE") & 0xff == 1)
    #expect(try client.number(info, "isVirtualMachine") & 0xff == 0)
    try client.pool { () throws in
      #expect(
        try client.text(try client.get(info, "aneArchitectureType"))
          == Profile.standard.architecture)
      #expect(
        try client.text(try client.get(info, "buildVersion")) == Profile.standard.osBuild)
    }
    #expect(client.world.livingObjects.isEmpty)
  }

  @Test func qualitiesOfServiceHaveQueues() throws {
    let mapper = try client.cls("_ANEQoSMapper")
    #expect(UInt32(truncatingIfNeeded: try client.number(mapper, "aneDefaultTaskQoS")) == 21)
    let queue = try client.method(
      mapper, "queueIndexForQoS:", as: (@convention(c) (ID?, ID?, UInt32) -> UInt64).self)
    let selector = try client.selector("queueIndexForQoS:")
    #expect(queue(mapper, selector, 0) == 2)
    #expect(queue(mapper, selector, 21) == queue(mapper, selector, 1234))
  }

  @Test func factoryResultsDieWithThePool() throws {
    let model = try client.pool {
      try #require(try client.borrowedModel("/tmp", key: "k"))
    }
    #expect(client.world.livingObjects.isEmpty)
    let classOf = try client.function("object_getClass", as: Client.One.self)
    client.world.bind { #expect(classOf(model) == nil) }
    #expect(
      client.world.misuse == [
        "object_getClass: obj is an object of class _ANEModel that was released to zero before;"
          + " retain it while in use"
      ])
  }

  @Test func factoriesOutsideOfAPoolAreReported() throws {
    _ = try client.borrowedModel("/tmp", key: "k")
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].contains("has no autorelease pool"))
  }

  @Test func wrongArgumentsFailWithAnErrorThatNamesTheCall() throws {
    let number = try client.integer(3)
    let error = try #require(throws: Reported.self) { try client.perform("load", number) }
    #expect(error.domain == "orion.simulator.misuse")
    #expect(
      error.text.hasPrefix("-[_ANEClient loadModel:options:qos:error:]: model is not an _ANEModel"))
    #expect(
      client.world.misuse == [
        "-[_ANEClient loadModel:options:qos:error:]: model is an object of class __NSCFNumber;"
          + " expected an _ANEModel"
      ])
  }

  @Test func surfaceObjectsTakeSurfacesOnly() throws {
    let cls = try client.cls("_ANEIOSurfaceObject")
    let make = try client.method(
      cls, "objectWithIOSurface:", as: (@convention(c) (ID?, ID?, ID?) -> ID?).self)
    let text = try client.string("x")
    #expect(make(cls, try client.selector("objectWithIOSurface:"), text) == nil)
    #expect(
      client.world.misuse == [
        "+[_ANEIOSurfaceObject objectWithIOSurface:]: the surface is an object of class"
          + " __NSCFString; expected an IOSurface"
      ])
  }

  @Test func requestsAreValidated() throws {
    let surface = try client.flatSurface(128)
    try client.pool {
      let good = try #require(try client.request(inputs: [(0, surface)], outputs: [(0, surface)]))
      #expect(try client.number(good, "validate") & 0xff == 1)
      #expect(try client.number(good, "ioSurfacesCount") == 2)
      let bad = try #require(try client.request(inputs: [], outputs: [(0, surface)]))
      #expect(try client.number(bad, "validate") & 0xff == 0)
      let far = try #require(
        try client.request(inputs: [(0, surface)], outputs: [(0, surface)], procedure: 129))
      #expect(try client.number(far, "validate") & 0xff == 0)
    }
    try client.release(surface)
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func worldsAreApart() throws {
    let other = try makeClient()
    #expect(try client.cls("_ANEClient") != (try other.cls("_ANEClient")))
    #expect(try client.connection() != (try other.connection()))
    #expect(try client.cls("NSString") == (try other.cls("NSString")))
    let model = try client.loadedModel(sumProgram("f(x:2x32)->(y:2x32)"))
    #expect(client.world.counters.loads == 1)
    #expect(other.world.counters.loads == 0)
    #expect(other.world.virtualSeconds == 0)
    // An object keeps its world, whichever is bound.
    try other.world.bind { try client.perform("unload", model) }
    #expect(client.world.counters.unloads == 1)
  }

  @Test func aWorldGoesWithItsLastObject() throws {
    weak var gone: World?
    var cls: ID?
    do {
      let other = try makeClient()
      gone = other.world
      cls = try other.cls("_ANEModel")
      let text = try other.string("kept")
      #expect(gone != nil)
      try other.release(text)
    }
    #expect(gone == nil)
    let classOf = try client.function("object_getClass", as: Client.One.self)
    client.world.bind { #expect(classOf(cls) == nil) }
    #expect(client.world.misuse.count == 1)
  }

  @Test func threadsShareAWorld() async throws {
    let client = client
    let directory = try makeModelDirectory(sumProgram("f(x:2x32)->(y:2x32)"))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for thread in 0..<4 {
        group.addTask {
          let options = try client.milOptions()
          for turn in 0..<20 {
            let model = try client.model(directory, key: "\(thread).\(turn)")
            try client.perform("load", model, options: options)
            let surfaces = [try client.flatSurface(128), try client.flatSurface(128)]
            try client.evaluate(model, inputs: [(0, surfaces[0])], outputs: [(0, surfaces[1])])
            try client.perform("unload", model)
            for object in surfaces + [model] { try client.release(object) }
          }
          try client.release(options)
        }
      }
      try await group.waitForAll()
    }
    #expect(client.world.misuse.isEmpty)
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.counters.evals == 80)
    #expect(client.world.counters.loadedPrograms == 0)
  }
}

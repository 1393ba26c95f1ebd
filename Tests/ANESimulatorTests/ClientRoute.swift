/// The calls of the `_ANEClient` route, as a Mac client sends them.

import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What came back through an error slot.
struct Reported: Error, CustomStringConvertible {
  let domain: String
  let code: Int
  let text: String
  let reason: String
  var description: String { "\(domain) \(code): \(text) [\(reason)]" }
}

/// A model directory with a text.
func makeModelDirectory(_ text: String) throws -> String {
  let directory = try temporaryDirectory()
  writeFile("\(directory)/model.mil", text)
  return directory
}

extension Client {
  typealias ModelCall =
    @convention(c) (ID?, ID?, ID?, ID?, UInt32, UnsafeMutablePointer<ID?>?) -> Bool
  typealias Evaluation =
    @convention(c) (ID?, ID?, ID?, ID?, ID?, UInt32, UnsafeMutablePointer<ID?>?) -> Bool

  func connection() throws -> ID {
    try #require(try get(try cls("_ANEClient"), "sharedConnection"))
  }

  func url(_ path: String) throws -> ID {
    let create = try function(
      "CFURLCreateFromFileSystemRepresentation",
      as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int, UInt8) -> ID?).self)
    let bytes = Array(path.utf8)
    return try #require(world.bind { create(nil, bytes, bytes.count, 1) })
  }

  /// A model that the caller owns.
  func model(_ directory: String, key: String) throws -> ID {
    try pool {
      let model = try #require(try borrowedModel(directory, key: key))
      try retain(model)
      return model
    }
  }

  /// A model that dies with the pool.
  func borrowedModel(_ directory: String, key: String) throws -> ID? {
    let cls = try cls("_ANEModel")
    let make = try method(
      cls, "modelAtURL:key:", as: (@convention(c) (ID?, ID?, ID?, ID?) -> ID?).self)
    let (url, key) = (try url(directory), try string(key))
    defer {
      try? release(url)
      try? release(key)
    }
    return make(cls, try selector("modelAtURL:key:"), url, key)
  }

  /// Options that say the type is MIL.
  func milOptions(file: String = "model.mil") throws -> ID {
    try dictionary([
      (try string("kANEFModelType"), try string("kANEFModelMIL")),
      (try string("kANEFNetPlistFilenameKey"), try string(file)),
    ])
  }

  /// One of `compile`, `load`, `unload`; throws what the error slot holds.
  func perform(_ verb: String, _ model: ID?, options: ID? = nil, qos: UInt32 = 21) throws {
    let client = try connection()
    let name = "\(verb)Model:options:qos:error:"
    let call = try method(client, name, as: ModelCall.self)
    let selector = try selector(name)
    try pool {
      var error: ID?
      if call(client, selector, model, options, qos, &error) {
        #expect(error == nil)
        return
      }
      throw try reported(error)
    }
  }

  func reported(_ error: ID?) throws -> Reported {
    let error = try #require(error)
    let code = try function("CFErrorGetCode", as: (@convention(c) (ID?) -> Int).self)
    let domain = try function("CFErrorGetDomain", as: One.self)
    let description = try function("CFErrorCopyDescription", as: One.self)(error)
    let reason = try function("CFErrorCopyFailureReason", as: One.self)(error)
    defer {
      try? release(try #require(description))
      if let reason { try? release(reason) }
    }
    return Reported(
      domain: try #require(try text(domain(error))), code: code(error),
      text: try #require(try text(description)), reason: try reason.flatMap { try text($0) } ?? "")
  }

  func compiledModelExists(_ model: ID) throws -> Bool {
    let client = try connection()
    let call = try method(
      client, "compiledModelExistsFor:", as: (@convention(c) (ID?, ID?, ID?) -> Bool).self)
    return call(client, try selector("compiledModelExistsFor:"), model)
  }

  func purge(_ model: ID) throws {
    let client = try connection()
    let call = try method(
      client, "purgeCompiledModel:", as: (@convention(c) (ID?, ID?, ID?) -> Void).self)
    call(client, try selector("purgeCompiledModel:"), model)
  }

  /// A loaded model of `text`, owned by the caller.
  func loadedModel(_ text: String, key: String = "k") throws -> ID {
    let model = try model(try makeModelDirectory(text), key: key)
    let options = try milOptions()
    defer { try? release(options) }
    try perform("load", model, options: options)
    return model
  }

  /// A request by the seven-argument factory; surfaces are borrowed, the result dies with the pool.
  func request(inputs: [(Int, ID)], outputs: [(Int, ID)], procedure: Int = 0) throws -> ID? {
    let cls = try cls("_ANERequest")
    let name =
      "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:"
    let make = try method(
      cls, name,
      as: (@convention(c) (ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?, ID?) -> ID?).self)
    let arguments = [
      try array(try inputs.map { try wrapped($0.1) }),
      try array(try inputs.map { try integer($0.0) }),
      try array(try outputs.map { try wrapped($0.1) }),
      try array(try outputs.map { try integer($0.0) }),
    ]
    let number = try integer(procedure)
    defer {
      for argument in arguments { try? release(argument) }
      try? release(number)
    }
    return make(
      cls, try selector(name), arguments[0], arguments[1], arguments[2], arguments[3], nil, nil,
      number)
  }

  /// A surface in an `_ANEIOSurfaceObject`, retained once.
  func wrapped(_ surface: ID) throws -> ID {
    let cls = try cls("_ANEIOSurfaceObject")
    let make = try method(
      cls, "objectWithIOSurface:", as: (@convention(c) (ID?, ID?, ID?) -> ID?).self)
    let made = try #require(make(cls, try selector("objectWithIOSurface:"), surface))
    try retain(made)
    return made
  }

  func evaluate(
    _ model: ID, inputs: [(Int, ID)], outputs: [(Int, ID)], procedure: Int = 0,
    message: String = "evaluateWithModel:options:request:qos:error:"
  ) throws {
    try pool {
      let request = try request(inputs: inputs, outputs: outputs, procedure: procedure)
      try evaluate(model, request, message: message)
    }
  }

  /// Inside a pool.
  func evaluate(
    _ model: ID, _ request: ID?,
    message: String = "evaluateWithModel:options:request:qos:error:"
  ) throws {
    let client = try connection()
    let call = try method(client, message, as: Evaluation.self)
    var error: ID?
    if call(client, try selector(message), model, nil, request, 21, &error) { return }
    throw try reported(error)
  }
}

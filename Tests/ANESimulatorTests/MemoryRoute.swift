/// The calls of the in-memory route, as a Mac client sends them.

import Testing

@testable import ANESimulator

extension Client {
  typealias Verb = @convention(c) (ID?, ID?, UInt32, ID?, UnsafeMutablePointer<ID?>?) -> Bool

  func data(_ bytes: [UInt8]) throws -> ID {
    let create = try function(
      "CFDataCreate", as: (@convention(c) (ID?, UnsafePointer<UInt8>?, Int) -> ID?).self)
    return try #require(world.bind { create(nil, bytes, bytes.count) })
  }

  /// A descriptor that the caller owns; `weights` are entries of each path's dictionary.
  func descriptor(_ text: String, weights: [(String, [(String, ID)])] = []) throws -> ID? {
    let cls = try cls("_ANEInMemoryModelDescriptor")
    let name = "modelWithMILText:weights:optionsPlist:"
    let make = try method(
      cls, name, as: (@convention(c) (ID?, ID?, ID?, ID?, ID?) -> ID?).self)
    let text = try data(Array(text.utf8))
    let weights = try dictionary(
      try weights.map { path, entries in
        (try string(path), try dictionary(try entries.map { (try string($0.0), $0.1) }))
      })
    defer {
      try? release(text)
      try? release(weights)
    }
    return try pool {
      let made = make(cls, try selector(name), text, weights, nil)
      if let made { try retain(made) }
      return made
    }
  }

  /// A model that the caller owns.
  func memoryModel(_ text: String, weights: [(String, [(String, ID)])] = []) throws -> ID {
    let descriptor = try #require(try descriptor(text, weights: weights))
    defer { try? release(descriptor) }
    let cls = try cls("_ANEInMemoryModel")
    let make = try method(
      cls, "inMemoryModelWithDescriptor:", as: (@convention(c) (ID?, ID?, ID?) -> ID?).self)
    return try pool {
      let model = try #require(
        make(cls, try selector("inMemoryModelWithDescriptor:"), descriptor))
      try retain(model)
      return model
    }
  }

  /// `compile` or `load`.
  func memory(_ verb: String, _ model: ID, options: ID? = nil, qos: UInt32 = 21) throws {
    let name = "\(verb)WithQoS:options:error:"
    let call = try method(model, name, as: Verb.self)
    try pool {
      var error: ID?
      if call(model, try selector(name), qos, options, &error) { return }
      throw try reported(error)
    }
  }

  func memoryUnload(_ model: ID) throws {
    let name = "unloadWithQoS:error:"
    let call = try method(
      model, name,
      as: (@convention(c) (ID?, ID?, UInt32, UnsafeMutablePointer<ID?>?) -> Bool).self)
    try pool {
      var error: ID?
      if call(model, try selector(name), 21, &error) { return }
      throw try reported(error)
    }
  }

  func memoryEvaluate(_ model: ID, inputs: [(Int, ID)], outputs: [(Int, ID)]) throws {
    let name = "evaluateWithQoS:options:request:error:"
    let call = try method(
      model, name,
      as: (@convention(c) (ID?, ID?, UInt32, ID?, ID?, UnsafeMutablePointer<ID?>?) -> Bool).self)
    try pool {
      var error: ID?
      let request = try request(inputs: inputs, outputs: outputs)
      if call(model, try selector(name), 21, nil, request, &error) { return }
      throw try reported(error)
    }
  }

  /// The text of a message without arguments.
  func text(of receiver: ID, _ name: String) throws -> String? {
    try pool { try text(try get(receiver, name)) }
  }

  func setURL(_ model: ID, _ directory: String) throws {
    let url = try url(directory)
    defer { try? release(url) }
    try method(model, "setModelURL:", as: (@convention(c) (ID?, ID?, ID?) -> Void).self)(
      model, try selector("setModelURL:"), url)
  }

  func tell(_ receiver: ID, _ name: String) throws {
    try method(receiver, name, as: (@convention(c) (ID?, ID?) -> Void).self)(
      receiver, try selector(name))
  }
}

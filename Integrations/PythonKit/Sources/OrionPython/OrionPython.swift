// Orion's Python side as Swift sees it: the compiler, the trainer, the tokenizer. Knows no OrionANE.

import PythonKit

/// The Python package `orion`, imported into the Python interpreter of this process.
///
/// Python runs on one thread at a time, and PythonKit takes no lock: use a value of this type, and what it gives,
/// on the thread that made it.
public struct OrionPython {
  /// What Python raised, in its own words.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    public init(description: String) { self.description = description }
  }

  private let orion: PythonObject

  /// Starts Python where none runs yet, and imports `orion`.
  ///
  /// - Throws: `Failure` when there is no Python library (`PYTHON_LIBRARY` names one), or it finds no `orion`
  ///   (`PYTHONPATH` says where).
  public init() throws {
    do {
      try PythonLibrary.loadLibrary()
    } catch {
      throw Failure(description: "\(error)")
    }
    orion = try Self.rethrow { try Python.attemptImport("orion") }
  }

  /// The version of the package.
  public var version: String { String(orion.__version__) ?? "" }

  // MARK: - What the commands do

  /// Writes small stories and a tokenizer that learnt from them into `directory`, which must be empty or new:
  /// `orion data --stories`.
  ///
  /// - Throws: `Failure`.
  public func makeStories(in directory: String, count: Int, vocabulary: Int) throws {
    let options = ["count": count, "vocabulary": vocabulary]
    _ = try call(module("orion.data").make_stories, [directory], options)
  }

  /// Trains a fresh model of the configuration in the file `config`: `orion train --preset`.
  ///
  /// - Parameters:
  ///   - config: a config.json.
  ///   - data: a directory of `train` and, where there is one, `valid`.
  ///   - output: where metrics, checkpoints and the model go.
  ///   - device: as Orion names devices.
  ///   - settings: by the names that `orion train` has them, with underscores: "iters", "learning_rate".
  ///   - progress: called after every step; the run ends after the step for which it gives false.
  /// - Returns: the directory of the trained model.
  /// - Throws: `Failure`, and what `progress` throws.
  public func train(
    config: String, data: String, output: String, device: String,
    settings: [String: any PythonConvertible] = [:], progress: (TrainingStep) throws -> Bool
  ) throws -> String {
    var options: [String: any PythonConvertible] = [
      "preset": config, "data": data, "output": output, "device": device,
    ]
    options.merge(settings) { _, given in given }
    let trainer = try call(orion.Trainer, [], options)
    defer { _ = try? call(trainer.close) }
    let steps = try call(trainer.steps)
    while true {
      let line = try call(Python.next, [steps, Python.None])
      if line == Python.None { break }
      if try !progress(TrainingStep(line)) { break }
    }
    let report = try call(module("orion.train").finish, [trainer])
    return String(report["model"]) ?? ""
  }

  /// Compiles the model in the directory `model` to a bundle for `device`, in the new directory `bundle`:
  /// `orion compile`.
  ///
  /// - Throws: `Failure`.
  public func compile(model: String, to bundle: String, for device: String) throws {
    let opened = try call(orion.Device, [device])
    defer { _ = try? call(opened.close) }
    let profile = try call(orion.profile, [opened.profile])
    _ = try call(module("orion.compile").bundle, [model, profile, bundle])
  }

  /// The tokenizer of the model, or of the bundle, in `directory`.
  ///
  /// - Throws: `Failure`.
  public func tokenizer(of directory: String) throws -> PythonTokenizer {
    PythonTokenizer(try call(module("orion.tokenizer").load, [directory]))
  }

  /// Up to `count` greedy tokens after `prompt`, computed by Python's own copy of the runtime: `orion generate`.
  ///
  /// - Throws: `Failure`.
  public func generate(_ count: Int, after prompt: String, model: String, device: String) throws
    -> [Int32]
  {
    let opened = try call(orion.load, [model], ["device": device])
    defer { _ = try? call(opened.close) }
    let result = try call(opened.generate, [prompt], ["max_tokens": count])
    return [Int32](result.new_ids) ?? []
  }

  // MARK: - Calls

  private func module(_ name: String) throws -> PythonObject {
    try Self.rethrow { try Python.attemptImport(name) }
  }
}

/// A Python call whose exception is a Swift error.
func call(
  _ function: PythonObject, _ arguments: [any PythonConvertible] = [],
  _ options: [String: any PythonConvertible] = [:]
) throws -> PythonObject {
  let keywords = options.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
  return try OrionPython.rethrow {
    try function.throwing.dynamicallyCall(
      withKeywordArguments: arguments.map { (key: "", value: $0) } + keywords)
  }
}

extension OrionPython {
  static func rethrow<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as PythonError {
      switch error {
      case .exception(let exception, _):
        throw Failure(description: String(exception) ?? "\(exception)")
      default: throw Failure(description: "\(error)")
      }
    }
  }
}

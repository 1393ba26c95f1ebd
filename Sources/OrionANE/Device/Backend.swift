import ANEProfiles

/// What a kind of device must do; two things stand behind it, the private framework's path (`ane`, `sim`)
/// and the engine on the host (`cpu`).
protocol Backend: AnyObject, Sendable {
  var profile: Profile { get }
  /// How programs reach the device: `client`, `host`.
  var route: String { get }
  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage
  /// Programs take tensors that go on beyond what they ask for, and such a tensor takes memory only where somebody
  /// writes.
  var takesLongerTensors: Bool { get }
  func makeLongStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage
  /// Row stride the device wants for this row length, in bytes.
  func rowBytes(forRowOf bytes: Int) -> Int
  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram
  var counters: Counters { get }
  /// Makes things go wrong as the plan says.
  func follow(faults plan: String) throws(OrionError)
  /// Recorded calls, one a line; empties the record.
  func takeTrace() -> String
}

extension Backend {
  var takesLongerTensors: Bool { false }
  func makeLongStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try makeStorage(layout)
  }
  func follow(faults plan: String) throws(OrionError) {
    throw OrionError(.argument, "fault plan: only simulated devices follow one; open sim")
  }
}

/// Memory both the host and the device can read.
protocol TensorStorage: AnyObject, Sendable {
  var layout: Layout { get }
  /// The host may read and write from `lock` to `unlock`; neither nests.
  func lock() throws(OrionError) -> UnsafeMutableRawPointer
  func unlock() throws(OrionError)
  var isLocked: Bool { get }
}

/// A program that is ready to run. Letting go of it gives its slot back.
protocol LoadedProgram: AnyObject, Sendable {
  /// In declared order.
  var inputs: [Port] { get }
  var outputs: [Port] { get }
  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError)
  /// Gives the device's slot back; the next `evaluate` fails.
  func unload() throws(OrionError)
  /// The directory whose weight file may be written in place; `nil` when the program shares its weights.
  var model: PrivateModel? { get }
  /// Unloads and loads a program with a directory of its own; nothing is compiled.
  func reload() throws(OrionError)
  /// What stays with the program between evaluations.
  var states: [Port] { get }
  /// Some evaluation may take forever.
  var mayLoop: Bool { get }
  /// Copies between a state and memory of its layout.
  func copyState(_ index: Int, _ storage: any TensorStorage, isWriting: Bool) throws(OrionError)
  /// Fills the states with zeros.
  func resetStates() throws(OrionError)
  /// Makes running evaluations fail soon; nothing for devices whose programs are short.
  func cancel()
}

extension LoadedProgram {
  var states: [Port] { [] }
  var mayLoop: Bool { false }
  func copyState(_ index: Int, _ storage: any TensorStorage, isWriting: Bool) throws(OrionError) {}
  func resetStates() throws(OrionError) {}
  func cancel() {}
  var model: PrivateModel? { nil }
  func reload() throws(OrionError) {
    throw OrionError(.internal, "reload: not for programs that share their weights")
  }
}

/// What is compiled: a text, its weight file, and which function.
struct ProgramSource: Sendable {
  let text: String
  /// The file that the text names after `@model_path/`, or the directory of several; `nil` for none.
  let weights: String?
  let function: String
  /// The program gets a copy of the weights of its own, to be written in place.
  var isPatchable = false
}

/// Counted since a device was opened.
public struct Counters: Sendable {
  /// Compile calls of the device; on `cpu`, plans whose weights were packed.
  public var compiles = 0
  /// Programs that were found compiled.
  public var cacheHits = 0
  /// Programs that were loaded, those of the cache among them.
  public var loads = 0
  /// Programs that were unloaded.
  public var unloads = 0
  /// Evaluations of programs.
  public var evals = 0
  /// Programs that are loaded now.
  public var loadedPrograms = 0
  /// The simulator's clock.
  public var virtualSeconds = 0.0
  /// Nothing counted.
  public init() {}
}

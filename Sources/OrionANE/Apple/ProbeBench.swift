#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A route by hand, for probes: each call of a model's life by itself, outside of the slots.
final class ProbeBench {
  /// A model in a directory of its own.
  final class Model {
    let object: ForeignObject
    let directory: String
    let signature: ProgramSignature
    fileprivate var binding: ProgramBinding?

    fileprivate init(_ object: ForeignObject, _ directory: String, _ signature: ProgramSignature) {
      self.object = object
      self.directory = directory
      self.signature = signature
    }
  }

  /// What came of a program that was compiled, loaded and run.
  enum Attempt {
    case right
    case wrong(Float)
    case refused(String)
  }

  /// Where the framework would keep a model's files.
  struct LocalPath {
    let path: String
    var exists: Bool { FileSystem.isDirectory(path) }
  }

  private static let function = "main"
  private let backend: AppleBackend
  private let room: String
  private var way: any FrameworkRoute { backend.way }

  init(_ backend: AppleBackend, room: String) {
    self.backend = backend
    self.room = room
  }

  func hasClass(_ name: String) -> Bool { way.foreign.table.getClass(name) != nil }

  // MARK: A model's life

  func model(_ text: String, weights: [String: [UInt8]] = [:]) throws(OrionError) -> Model {
    let source = ProgramSource(text: text, weights: nil, function: Self.function)
    let signature = try backend.reader.signature(source)
    let directory = FileSystem.unique("\(room)/probe")
    try FileSystem.makeDirectory(directory, for: "a probe's model directory")
    try FileSystem.write(text, to: "\(directory)/\(ModelDirectory.textFile)")
    for (name, bytes) in weights { try FileSystem.write(bytes, to: "\(directory)/\(name)") }
    let place = ModelPlace(
      directory: directory, key: SHA256.hex(of: [text, directory]), text: text,
      weightsHash: SHA256.hex(of: weights.keys.sorted()), isPrivate: true)
    let object = try way.foreign.enter { () throws(OrionError) in try way.model(place) }
    return Model(object, directory, signature)
  }

  func write(_ bytes: [UInt8], to name: String, of model: Model) throws(OrionError) {
    try FileSystem.write(bytes, to: "\(model.directory)/\(name)")
  }

  /// Compiles and loads.
  func bring(_ model: Model) throws(OrionError) {
    try enter { () throws(OrionError) in
      if let refusal = try way.compile(model.object, Self.function) { throw refusal.error }
    }
    try load(model)
  }

  func load(_ model: Model) throws(OrionError) {
    try enter { () throws(OrionError) in
      if let refusal = try way.load(model.object, Self.function) { throw refusal.error }
      let attributes = try way.attributes(model.object, function: Self.function)
      model.binding = try ProgramBinding(
        model.signature, attributes, function: Self.function, way.foreign)
    }
  }

  func unload(_ model: Model) throws(OrionError) {
    try enter { () throws(OrionError) in
      if let refusal = try way.unload(model.object, Self.function) { throw refusal.error }
    }
    model.binding = nil
  }

  func purge(_ model: Model) throws(OrionError) {
    try enter { () throws(OrionError) in try way.purge(model.object) }
  }

  /// Unloads what is loaded and takes away what there is on disk.
  func end(_ model: Model) {
    if model.binding != nil { try? unload(model) }
    try? purge(model)
    for name in FileSystem.names(in: model.directory) {
      FileSystem.remove("\(model.directory)/\(name)")
    }
    rmdir(model.directory)
  }

  // MARK: Running

  /// The first number of the first output, over an input of ones.
  func first(_ model: Model) throws(OrionError) -> Float {
    let (inputs, outputs) = try surfaces(model)
    try evaluate(model, inputs, outputs)
    guard let output = outputs.first else { return .nan }
    let address = try output.lock()
    defer { try? output.unlock() }
    return Float(Float16(bitPattern: address.load(as: UInt16.self)))
  }

  func milliseconds(_ model: Model, times: Int) throws(OrionError) -> Double {
    let (inputs, outputs) = try surfaces(model)
    try evaluate(model, inputs, outputs)
    let began = ProbeClock.seconds()
    for _ in 0..<times { try evaluate(model, inputs, outputs) }
    return (ProbeClock.seconds() - began) / Double(times) * 1e3
  }

  /// Compiles, loads and runs once.
  func attempt(_ text: String, weights: [String: [UInt8]] = [:], expected: Float)
    throws(OrionError) -> Attempt
  {
    let made: Model
    do throws(OrionError) { made = try model(text, weights: weights) } catch {
      return .refused(error.message)
    }
    defer { end(made) }
    do throws(OrionError) {
      try bring(made)
      let value = try first(made)
      return abs(value - expected) <= 2e-3 * max(1, abs(expected)) ? .right : .wrong(value)
    } catch {
      return .refused(error.message)
    }
  }

  private func surfaces(_ model: Model) throws(OrionError) -> ([SurfaceStorage], [SurfaceStorage]) {
    guard let binding = model.binding else {
      throw OrionError(.internal, "probe: the model is not loaded")
    }
    var sides: [[SurfaceStorage]] = [[], []]
    for (side, ports) in [binding.inputs, binding.outputs].enumerated() {
      for port in ports { sides[side].append(try SurfaceStorage(port.layout, way.messenger)) }
    }
    for (port, input) in zip(binding.inputs, sides[0]) where port.layout.dtype == .fp16 {
      let address = try input.lock()
      for row in 0..<port.layout.rowCount {
        for column in 0..<(port.layout.shape.last ?? 1) {
          address.storeBytes(
            of: Float16(1).bitPattern, toByteOffset: row * port.layout.rowBytes + 2 * column,
            as: UInt16.self)
        }
      }
      try input.unlock()
    }
    return (sides[0], sides[1])
  }

  private func evaluate(
    _ model: Model, _ inputs: [SurfaceStorage], _ outputs: [SurfaceStorage]
  ) throws(OrionError) {
    guard let binding = model.binding else { return }
    let (read, written) = try backend.fitting.fit(inputs: inputs, outputs: outputs)
    try enter { () throws(OrionError) in
      let refusal = try way.evaluate(model.object, binding, inputs: read, outputs: written)
      if let refusal { throw refusal.error }
    }
  }

  private func enter<R>(_ body: () throws(OrionError) -> R) throws(OrionError) -> R {
    try way.foreign.enter(body)
  }

  // MARK: Models in memory without a directory of ours

  /// Where such a model's files lie, after they were made by hand and the model was loaded and unloaded.
  func localDirectoryAfterUnload(_ text: String) throws(OrionError) -> LocalPath {
    let route = try memory()
    return try enter { () throws(OrionError) in
      let model = try route.bareModel(text)
      let path = LocalPath(path: try route.localPath(model))
      try FileSystem.makeDirectory(path.path, for: "a probe's model directory")
      try FileSystem.write(text, to: "\(path.path)/\(ModelDirectory.textFile)")
      if let refusal = try route.load(model, Self.function) { throw refusal.error }
      if let refusal = try route.unload(model, Self.function) { throw refusal.error }
      try route.purge(model)
      return path
    }
  }

  /// Why such a model does not load from the file that the framework itself writes; `nil` when it does.
  func loadWithoutFiles(_ text: String) throws(OrionError) -> String? {
    let route = try memory()
    return try enter { () throws(OrionError) in
      let model = try route.bareModel(text)
      let refusal = try route.load(model, Self.function, file: "net.plist")
      if refusal == nil { _ = try route.unload(model, Self.function) }
      try route.purge(model)
      return refusal?.error.message
    }
  }

  private func memory() throws(OrionError) -> MemoryRoute {
    guard let route = way as? MemoryRoute else {
      throw OrionError(.internal, "probe: only the memory route has such models")
    }
    return route
  }
}

enum ProbeClock {
  static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
  }
}

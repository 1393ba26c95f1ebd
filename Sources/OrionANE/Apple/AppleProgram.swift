import Synchronization

/// A program on one of the framework's routes: where its model lies and, while it is loaded, the model itself.
final class AppleProgram: SlotHolder {
  /// What loading gives.
  private struct Loaded {
    let model: ForeignObject
    let binding: ProgramBinding
  }

  let name: String
  private let place: ModelPlace
  /// The directory, when it is this program's alone.
  let model: PrivateModel?
  private let source: ProgramSource
  private let signature: ProgramSignature
  private let backend: AppleBackend
  private let loaded = Mutex<Loaded?>(nil)

  init(
    _ source: ProgramSource, _ signature: ProgramSignature, _ place: ModelPlace,
    model: PrivateModel?, backend: AppleBackend
  ) {
    name = source.function
    self.source = source
    self.signature = signature
    self.place = place
    self.model = model
    self.backend = backend
  }

  /// The binding of the loaded model. Its ports are the same each time the model is loaded.
  func binding() throws(OrionError) -> ProgramBinding { try current().binding }

  private func current() throws(OrionError) -> Loaded {
    guard let loaded = loaded.withLock({ $0 }) else {
      throw OrionError(.internal, "program \(name): not loaded")
    }
    return loaded
  }

  func enterSlot() throws(OrionError) {
    let route = backend.way
    let now = try route.foreign.enter { () throws(OrionError) in
      let model = try route.model(place)
      try bring(model)
      do throws(OrionError) {
        let attributes = try route.attributes(model, function: name)
        let binding = try ProgramBinding(
          signature, attributes, function: name, route.foreign)
        return Loaded(model: model, binding: binding)
      } catch {
        _ = try? route.unload(model, name)
        backend.count { $0.unloads += 1 }
        throw error
      }
    }
    loaded.withLock { $0 = now }
  }

  func leaveSlot() throws(OrionError) {
    let route = backend.way
    let now = try current()
    try route.foreign.enter { () throws(OrionError) in
      if let refusal = try route.unload(now.model, name) { throw refusal.error }
    }
    backend.count { $0.unloads += 1 }
    loaded.withLock { $0 = nil }
  }

  /// What the daemon keeps of a directory that goes with this program is of no use to anyone.
  func discard() {
    guard model != nil else { return }
    let route = backend.way
    try? route.foreign.enter { () throws(OrionError) in
      try route.purge(try route.model(place))
    }
  }

  /// Compiles unless the daemon has the program, and loads it. What the daemon had and cannot load is
  /// thrown out and compiled once more.
  private func bring(_ model: ForeignObject) throws(OrionError) {
    let route = backend.way
    let isKnown = try route.exists(model)
    if isKnown {
      backend.count { $0.cacheHits += 1 }
    } else {
      try compile(model)
    }
    if let refusal = try route.load(model, name) {
      guard isKnown, refusal.fault?.mayBeStale == true else { throw refusal.error }
      try route.purge(model)
      try compile(model)
      if let refusal = try route.load(model, name) { throw refusal.error }
    }
    backend.count { $0.loads += 1 }
  }

  private func compile(_ model: ForeignObject) throws(OrionError) {
    backend.count { $0.compiles += 1 }
    guard let refusal = try backend.way.compile(model, name) else { return }
    guard let faults = backend.reader.faults(source, place.directory) else { throw refusal.error }
    throw refusal.error(explainedBy: faults)
  }

  /// A program that the daemon has lost meanwhile is loaded once more.
  func evaluate(inputs: [SurfaceStorage], outputs: [SurfaceStorage]) throws(OrionError) {
    let route = backend.way
    let now = try current()
    let (read, written) = try backend.fitting.fit(inputs: inputs, outputs: outputs)
    try route.foreign.enter { () throws(OrionError) in
      guard
        let refusal = try route.evaluate(now.model, now.binding, inputs: read, outputs: written)
      else { return }
      guard refusal.fault?.isLost == true else { throw refusal.error }
      _ = try route.unload(now.model, name)
      backend.count { $0.unloads += 1 }
      try bring(now.model)
      let again = try route.evaluate(now.model, now.binding, inputs: read, outputs: written)
      if let again { throw again.error }
    }
    backend.count { $0.evals += 1 }
  }
}

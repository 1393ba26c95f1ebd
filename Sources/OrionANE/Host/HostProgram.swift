import MILEngine
import Synchronization

/// A function of a compiled program on the host.
final class HostProgram: LoadedProgram {
  /// What packs a program's own weights anew.
  struct Patchable: Sendable {
    let program: PatchableProgram
    let model: PrivateModel
  }

  let inputs: [Port]
  let outputs: [Port]
  let states: [Port]
  let mayLoop: Bool
  private let name: String
  /// Evaluations that began before a reload go on with what they began with.
  private let function: Mutex<ExecutableFunction>
  private let patchable: Patchable?
  private let backend: HostBackend
  private let isClosed = Atomic(false)
  private let spares = Spares<Views>()

  /// The tensors of a call as the engine sees them.
  private struct Views: Sendable {
    var inputs: [MemoryView] = []
    var outputs: [MemoryView] = []
  }

  init(_ function: ExecutableFunction, _ patchable: Patchable?, _ backend: HostBackend) {
    name = function.name
    self.function = Mutex(function)
    self.patchable = patchable
    self.backend = backend
    inputs = function.inputs.map(Self.port)
    outputs = function.outputs.map(Self.port)
    states = function.states.map(Self.port)
    mayLoop = function.mayLoop
  }

  deinit { unload() }

  private static func port(_ port: ExecutablePort) -> Port {
    let (dtype, shape) = (port.type.dtype, port.type.shape)
    let layout = Layout(
      dtype: dtype, shape: shape, rowBytes: (shape.last ?? 1) * dtype.byteCount)
    return Port(name: port.name, layout: layout)
  }

  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError) {
    try checkOpen()
    var views = spares.take() ?? Views()
    defer { spares.give(views) }
    try fill(&views.inputs, inputs, self.inputs)
    try fill(&views.outputs, outputs, self.outputs)
    do throws(EngineError) {
      try function.withLock { $0 }.run(inputs: views.inputs, outputs: views.outputs)
    } catch {
      if case .cancelled = error {
        throw OrionError(.cancelled, "program \(name): cancelled before it was done")
      }
      throw OrionError(.device, "program \(name): \(error.message)")
    }
    backend.count { $0.evals += 1 }
  }

  private func fill(
    _ views: inout [MemoryView], _ tensors: [any TensorStorage], _ ports: [Port]
  ) throws(OrionError) {
    views.removeAll(keepingCapacity: true)
    for tensor in tensors {
      if let view = Self.view(tensor) { views.append(view) }
    }
    guard views.count == ports.count else {
      throw OrionError(.argument, "program \(name): a tensor is not of this device")
    }
  }

  func cancel() { function.withLock { $0 }.cancel() }

  func resetStates() throws(OrionError) {
    try checkOpen()
    do throws(EngineError) {
      try function.withLock { $0 }.resetStates()
    } catch {
      throw OrionError(.device, "program \(name): \(error.message)")
    }
  }

  func copyState(_ index: Int, _ storage: any TensorStorage, isWriting: Bool) throws(OrionError) {
    try checkOpen()
    guard let memory = Self.view(storage)?.address else {
      throw OrionError(.argument, "program \(name): a tensor is not of this device")
    }
    do throws(EngineError) {
      try function.withLock { $0 }.state(index) { state in
        // Rows of host tensors follow each other, as those of states do.
        let tensor = UnsafeMutableRawBufferPointer(start: memory, count: state.count)
        let (source, target) = isWriting ? (tensor, state) : (state, tensor)
        target.copyMemory(from: UnsafeRawBufferPointer(source))
      }
    } catch {
      throw OrionError(.device, "program \(name): \(error.message)")
    }
  }

  private func checkOpen() throws(OrionError) {
    guard !isClosed.load(ordering: .acquiring) else {
      throw OrionError(.argument, "program \(name): unloaded; compile it again")
    }
  }

  var model: PrivateModel? { patchable?.model }

  /// Packs the weights as the file holds them now.
  func reload() throws(OrionError) {
    try checkOpen()
    guard let patchable else { return }
    let fresh = try HostBackend.function(name, of: patchable.program)
    function.withLock { $0 = fresh }
    backend.count {
      $0.unloads += 1
      $0.loads += 1
    }
  }

  private static func view(_ storage: any TensorStorage) -> MemoryView? {
    guard let host = storage as? HostStorage else { return nil }
    return MemoryView(address: host.address, rowBytes: host.layout.rowBytes)
  }

  func unload() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    backend.count {
      $0.unloads += 1
      $0.loadedPrograms -= 1
    }
  }
}

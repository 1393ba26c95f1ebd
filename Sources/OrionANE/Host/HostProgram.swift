import MILEngine
import Synchronization

/// A function of a compiled program on the host.
final class HostProgram: LoadedProgram {
  let inputs: [Port]
  let outputs: [Port]
  private let function: ExecutableFunction
  /// Holds the mapped weights.
  private let executable: Executable
  private let backend: HostBackend
  private let isClosed = Atomic(false)

  init(_ function: ExecutableFunction, _ executable: Executable, _ backend: HostBackend) {
    self.function = function
    self.executable = executable
    self.backend = backend
    inputs = function.inputs.map(Self.port)
    outputs = function.outputs.map(Self.port)
  }

  deinit { unload() }

  private static func port(_ port: ExecutablePort) -> Port {
    let (dtype, shape) = (port.type.dtype, port.type.shape)
    let layout = Layout(
      dtype: dtype, shape: shape, rowBytes: (shape.last ?? 1) * dtype.byteCount)
    return Port(name: port.name, layout: layout)
  }

  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError) {
    guard !isClosed.load(ordering: .acquiring) else {
      throw OrionError(.argument, "program \(function.name): unloaded; compile it again")
    }
    let views = (inputs.compactMap(Self.view), outputs.compactMap(Self.view))
    guard views.0.count == self.inputs.count, views.1.count == self.outputs.count else {
      throw OrionError(.argument, "program \(function.name): a tensor is not of this device")
    }
    do throws(EngineError) {
      try function.run(inputs: views.0, outputs: views.1)
    } catch {
      if case .cancelled = error {
        throw OrionError(.cancelled, "program \(function.name): cancelled before it was done")
      }
      throw OrionError(.device, "program \(function.name): \(error.message)")
    }
    backend.count { $0.evals += 1 }
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

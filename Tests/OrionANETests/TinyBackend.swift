import ANEProfiles
import MILEngine
import Synchronization

@testable import OrionANE

/// Runs the programs of a `TinyModel` in doubles, and watches what a session gives them: masks, caches and
/// unused columns must look as the manifest's roles say.
final class TinyBackend: Backend {
  struct State {
    /// Names of the programs that ran, in order.
    var calls: [String] = []
    var violations: [String] = []
    var storages = 0
    /// Operations so far, and the one that fails, counted from 1.
    var operations = 0
    var failing = 0
    var counters = Counters()
    /// Several sequences are in use.
    var isShared = false
    var onEvaluate: (@Sendable () -> Void)?
  }
  let profile = Profile.cpu
  let route = "tiny"
  let model: TinyModel
  /// Rows of tensors start at multiples of this.
  let rowAlignment: Int
  let state = Mutex(State())
  fileprivate let manifest: Manifest

  init(_ model: TinyModel, rowAlignment: Int = 1) throws {
    self.model = model
    self.rowAlignment = rowAlignment
    manifest = try Manifest(
      ManifestField(model.manifest(files: []), file: "tiny"), profile: model.profile)
  }

  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try operate("makeStorage")
    state.withLock { $0.storages += 1 }
    return TinyStorage(try HostStorage(layout), self)
  }

  var takesLongerTensors: Bool { model.takesLongerCaches }

  func rowBytes(forRowOf bytes: Int) -> Int {
    (bytes + rowAlignment - 1) / rowAlignment * rowAlignment
  }

  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    try operate("load")
    guard let row = manifest.programs.first(where: { $0.name == source.text }) else {
      throw OrionError(.program, "\(source.text): no such program")
    }
    state.withLock { $0.counters.loads += 1 }
    return TinyProgram(row, self)
  }

  var counters: Counters { state.withLock { $0.counters } }
  func takeTrace() -> String { "" }

  /// Counts an operation; the chosen one fails.
  fileprivate func operate(_ name: String) throws(OrionError) {
    let fails = state.withLock { state in
      state.operations += 1
      return state.operations == state.failing
    }
    if fails { throw OrionError(.device, "\(name) fails as asked") }
  }

  /// Whether a program takes this memory.
  fileprivate func fits(_ layout: Layout, _ port: Port, _ role: Role) -> Bool {
    guard takesLongerTensors, case .cache(_, let axis) = role else { return layout == port.layout }
    return layout.begins(as: port.layout, axis: axis)
  }

  fileprivate func port(_ row: Manifest.PortRow) -> Port {
    let bytes = (row.shape.last ?? 1) * row.dtype.byteCount
    return Port(
      name: row.name,
      layout: Layout(dtype: row.dtype, shape: row.shape, rowBytes: rowBytes(forRowOf: bytes)))
  }
}

/// Memory whose locking counts as an operation.
final class TinyStorage: TensorStorage {
  private let inner: HostStorage
  private let backend: TinyBackend

  init(_ inner: HostStorage, _ backend: TinyBackend) {
    self.inner = inner
    self.backend = backend
  }

  var layout: Layout { inner.layout }
  var isLocked: Bool { inner.isLocked }

  func lock() throws(OrionError) -> UnsafeMutableRawPointer {
    try backend.operate("lock")
    return try inner.lock()
  }

  func unlock() throws(OrionError) { try inner.unlock() }
}

/// One program of a tiny model. Its ports are declared in the reverse of the manifest's order.
final class TinyProgram: LoadedProgram {
  let inputs: [Port]
  let outputs: [Port]
  private let row: Manifest.ProgramRow
  private let backend: TinyBackend

  init(_ row: Manifest.ProgramRow, _ backend: TinyBackend) {
    self.row = row
    self.backend = backend
    inputs = row.inputs.reversed().map { backend.port($0) }
    outputs = row.outputs.reversed().map { backend.port($0) }
  }

  func unload() throws(OrionError) {
    backend.state.withLock { $0.counters.unloads += 1 }
  }

  func evaluate(inputs: [any TensorStorage], outputs: [any TensorStorage]) throws(OrionError) {
    try backend.operate("evaluate")
    let hook = backend.state.withLock { state in
      state.calls.append(row.name)
      return state.onEvaluate
    }
    hook?()
    var values: [Role: TinyArray] = [:]
    for (port, storage) in zip(self.inputs, inputs) {
      guard let role = row.role(ofInput: port.name), backend.fits(storage.layout, port, role) else {
        throw OrionError(.internal, "\(row.name): \(port.name) is bound to a wrong tensor")
      }
      let array = try TinyArray(storage, as: port.layout.shape)
      values[role] = role.hasRows ? array.turned : array
    }
    let results =
      row.name == "head"
      ? head(values) : TinyLayers(backend.model, values, watch: backend).results(row)
    for (port, storage) in zip(self.outputs, outputs) {
      guard let role = row.role(ofOutput: port.name), let result = results[role] else { continue }
      try (role.hasRows ? result.turned : result).write(to: storage)
    }
  }

  private func head(_ values: [Role: TinyArray]) -> [Role: TinyArray] {
    var results: [Role: TinyArray] = [:]
    guard let hidden = values[.hidden] else { return results }
    for port in row.outputs {
      guard case .logits(let first) = port.role else { continue }
      var logits = TinyArray(port.shape)
      for channel in 0..<port.shape[1] {
        for column in 0..<port.shape[3] {
          let states = (0..<hidden.shape[1]).map { hidden[0, $0, 0, column] }
          logits[0, channel, 0, column] = backend.model.logit(first + channel, of: states)
        }
      }
      results[port.role] = logits
    }
    return results
  }
}

extension Role {
  /// Positions are rows, where the programs count in columns.
  fileprivate var hasRows: Bool {
    switch self {
    case .cache(_, let axis), .newEntry(_, let axis): axis == 2
    default: false
    }
  }
}

/// Dense numbers of rank 4.
struct TinyArray {
  let shape: [Int]
  var values: [Double]

  init(_ shape: [Int]) {
    self.shape = shape
    values = Array(repeating: 0, count: shape.reduce(1, *))
  }

  /// What memory that may go on begins with.
  init(_ storage: any TensorStorage, as shape: [Int]) throws(OrionError) {
    self.init(shape)
    let layout = storage.layout
    let width = shape[3]
    values = try storage.withAddress { address throws(OrionError) in
      values.indices.map { index in
        let place = address + index / width * layout.rowBytes
        return layout.dtype == .fp16
          ? Double(place.assumingMemoryBound(to: Float16.self)[index % width])
          : Double(place.assumingMemoryBound(to: Float.self)[index % width])
      }
    }
  }

  func write(to storage: any TensorStorage) throws(OrionError) {
    let layout = storage.layout
    let width = layout.shape[3]
    try storage.withAddress { address throws(OrionError) in
      for (index, value) in values.enumerated() {
        let place = address + index / width * layout.rowBytes
        if layout.dtype == .fp16 {
          place.assumingMemoryBound(to: Float16.self)[index % width] = Float16(value)
        } else {
          place.assumingMemoryBound(to: Float.self)[index % width] = Float(value)
        }
      }
    }
  }

  /// [1, 1, L, C] as [1, C, 1, L], and the other way round.
  var turned: TinyArray {
    let (rows, columns) = shape[1] == 1 ? (shape[2], shape[3]) : (shape[1], shape[3])
    var result = TinyArray(shape[1] == 1 ? [1, columns, 1, rows] : [1, 1, columns, rows])
    for index in values.indices {
      result.values[index % columns * rows + index / columns] = values[index]
    }
    return result
  }

  subscript(a: Int, b: Int, c: Int, d: Int) -> Double {
    get { values[((a * shape[1] + b) * shape[2] + c) * shape[3] + d] }
    set { values[((a * shape[1] + b) * shape[2] + c) * shape[3] + d] = newValue }
  }
}

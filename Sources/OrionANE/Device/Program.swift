import MILEngine

/// A loaded program: what it takes and gives, and its evaluation. It knows no device's ways.
///
/// May be evaluated from several threads at once, with different output tensors.
public final class Program: Sendable {
  /// The function of the MIL text.
  public let name: String
  /// In declared order.
  public let inputs: [Port]
  /// In the order of the function's result.
  public let outputs: [Port]
  /// What stays with the program between evaluations, zeros at first; in declared order.
  public let states: [Port]
  /// It holds a loop, so that an evaluation may need `cancel` to end.
  public let mayLoop: Bool
  private let loaded: any LoadedProgram
  private let spares = Spares<Arguments>()
  private let backend: any Backend

  init(loaded: any LoadedProgram, backend: any Backend, name: String) {
    self.name = name
    self.loaded = loaded
    self.backend = backend
    inputs = loaded.inputs
    outputs = loaded.outputs
    states = loaded.states
    mayLoop = loaded.mayLoop
  }

  /// Reads `inputs` and writes `outputs`, both in the order of the ports.
  public func evaluate(inputs: [Tensor], outputs: [Tensor]) throws(OrionError) {
    try evaluate { arguments in
      arguments.inputs += inputs
      arguments.outputs += outputs
    }
  }

  /// What a call is given, and what it hands on: kept, empty, for the next call.
  struct Arguments {
    var inputs: [Tensor] = []
    var outputs: [Tensor] = []
    fileprivate var storages: (inputs: [any TensorStorage], outputs: [any TensorStorage]) = ([], [])

    fileprivate mutating func clear() {
      inputs.removeAll(keepingCapacity: true)
      outputs.removeAll(keepingCapacity: true)
      storages.inputs.removeAll(keepingCapacity: true)
      storages.outputs.removeAll(keepingCapacity: true)
    }
  }

  /// The same with tensors that `fill` appends to the empty arguments.
  func evaluate(_ fill: (inout Arguments) throws(OrionError) -> Void) throws(OrionError) {
    var arguments = spares.take() ?? Arguments()
    defer {
      arguments.clear()
      spares.give(arguments)
    }
    try fill(&arguments)
    try check(arguments.inputs, against: inputs, role: "input")
    try check(arguments.outputs, against: outputs, role: "output")
    try checkApart(arguments.inputs, arguments.outputs)
    for tensor in arguments.inputs { arguments.storages.inputs.append(tensor.storage) }
    for tensor in arguments.outputs { arguments.storages.outputs.append(tensor.storage) }
    try loaded.evaluate(inputs: arguments.storages.inputs, outputs: arguments.storages.outputs)
  }

  /// Makes evaluations that run now end soon with an error. From any thread.
  public func cancel() { loaded.cancel() }

  /// Copies what a state holds into a tensor of its type and shape.
  public func readState(_ index: Int, into tensor: Tensor) throws(OrionError) {
    try loaded.copyState(index, try checkedState(index, tensor), isWriting: false)
  }

  /// Makes a state hold what a tensor of its type and shape holds.
  public func writeState(_ index: Int, from tensor: Tensor) throws(OrionError) {
    try loaded.copyState(index, try checkedState(index, tensor), isWriting: true)
  }

  /// Fills all states with zeros.
  public func resetStates() throws(OrionError) { try loaded.resetStates() }

  private func checkedState(_ index: Int, _ tensor: Tensor) throws(OrionError) -> any TensorStorage
  {
    guard states.indices.contains(index) else {
      throw OrionError(
        .argument, "program \(name): state \(index) does not exist; it has \(states.count) states")
    }
    try check([tensor], against: [states[index]], role: "state")
    return tensor.storage
  }

  /// The program's own weight file, for writing in place: `body` gets the file's bytes. They take effect with
  /// the next `reload`, where the device reads files then. Does not nest.
  public func withWeights<R>(_ body: (UnsafeMutableRawBufferPointer) throws(OrionError) -> R)
    throws(OrionError) -> R
  {
    let model = try patchable()
    let bytes = try model.lock()
    let result: Result<R, OrionError>
    do throws(OrionError) { result = .success(try body(bytes)) } catch { result = .failure(error) }
    try model.unlock()
    return try result.get()
  }

  /// Unloads and loads the program; nothing is compiled. Whether the device then computes with the weights that
  /// the file holds now is the device's nature: `Device.reloadTakesEffect` finds out.
  public func reload() throws(OrionError) {
    guard !(try patchable().isLocked) else {
      throw OrionError(
        .argument, "program \(name): its weights are locked; unlock them before reloading")
    }
    try loaded.reload()
  }

  /// The program's own model directory.
  func patchable() throws(OrionError) -> PrivateModel {
    guard let model = loaded.model else {
      throw OrionError(
        .argument,
        "program \(name): it shares its weights with others; compile it as patchable to change"
          + " them")
    }
    return model
  }

  /// Gives the device's slot back now; later evaluations fail.
  public func unload() throws(OrionError) { try loaded.unload() }

  /// What is written must not be read or written elsewhere in the same evaluation.
  private func checkApart(_ inputs: [Tensor], _ outputs: [Tensor]) throws(OrionError) {
    for (index, output) in outputs.enumerated() {
      let isShared =
        inputs.contains { $0 === output } || outputs[..<index].contains { $0 === output }
      guard !isShared else {
        throw OrionError(
          .argument,
          "program \(name), output \(self.outputs[index].name): the tensor stands in two places;"
            + " give each output a tensor of its own")
      }
    }
  }

  private func check(_ tensors: [Tensor], against ports: [Port], role: String)
    throws(OrionError)
  {
    guard tensors.count == ports.count else {
      let names = ports.map(\.name).joined(separator: ", ")
      throw OrionError(
        .argument,
        "program \(name): \(tensors.count) \(role)s came, \(ports.count) are expected (\(names));"
          + " pass one tensor for each, in this order")
    }
    for (tensor, port) in zip(tensors, ports) {
      guard tensor.backend === backend else {
        throw OrionError(
          .argument,
          "program \(name), \(role) \(port.name): the tensor belongs to another device;"
            + " create it on the device that compiled the program")
      }
      guard tensor.layout == port.layout else {
        throw OrionError(
          .argument,
          "program \(name), \(role) \(port.name): expected \(port.layout.text),"
            + " got \(tensor.layout.text)")
      }
      guard !tensor.storage.isLocked else {
        throw OrionError(
          .argument,
          "program \(name), \(role) \(port.name): the tensor is locked; unlock it first")
      }
    }
  }
}

extension Layout {
  /// `fp16 [1, 64, 1, 32]`, with the row stride where rows are padded.
  var text: String {
    let dense = (shape.last ?? 1) * dtype.byteCount
    let shapeText = "\(dtype.rawValue) \(shape)"
    return rowBytes == dense ? shapeText : "\(shapeText) with rows of \(rowBytes) bytes"
  }
}

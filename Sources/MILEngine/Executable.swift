/// A program that can run: functions with their plans, constants in memory, and scratch memory.
import CKernels

/// Strided host memory: rows of the last axis are dense and start `rowBytes` apart.
public struct MemoryView: @unchecked Sendable, Equatable {
  public let address: UnsafeMutableRawPointer
  public let rowBytes: Int

  public init(address: UnsafeMutableRawPointer, rowBytes: Int) {
    self.address = address
    self.rowBytes = rowBytes
  }
}

/// A function's input or output.
public struct ExecutablePort: Sendable, Hashable {
  public let name: String
  public let type: TensorType
}

public final class Executable: Sendable {
  /// In the order of the text.
  public let functions: [ExecutableFunction]

  init(functions: [ExecutableFunction]) { self.functions = functions }

  public func function(named name: String) -> ExecutableFunction? {
    functions.first { $0.name == name }
  }
}

public final class ExecutableFunction: Sendable {
  public let name: String
  /// In declared order.
  public let inputs: [ExecutablePort]
  /// In the order of the return tuple.
  public let outputs: [ExecutablePort]
  /// What stays between runs.
  public let states: [ExecutablePort]
  /// It holds a loop, whose rounds no one can foretell.
  public let mayLoop: Bool
  public let work: Work
  public let traits: FunctionTraits

  let plan: Plan
  private let constants: ConstantMemory
  private let stateMemory: StateMemory
  private let requests = StopRequests()
  private let scratches = Spares<Scratch>()
  private let times: StepTimes?

  init(
    _ function: CheckedFunction, plan: Plan, constants: ConstantMemory, work: Work
  ) {
    name = function.name
    inputs = function.inputs.map { Self.port(function.values[$0]) }
    outputs = function.outputs.map { Self.port(function.values[$0]) }
    states = function.states.map { ExecutablePort(name: $0.name, type: $0.type) }
    stateMemory = StateMemory(function.states)
    mayLoop = function.mayLoop
    self.plan = plan
    times = StepTimes(plan)
    self.constants = constants
    self.work = work
    traits = FunctionTraits(function)
  }

  deinit { times?.write(name: name) }

  private static func port(_ value: Value) -> ExecutablePort {
    ExecutablePort(name: value.name, type: value.type)
  }

  /// Computes the outputs from the inputs, and what the states hold from then on. Several calls may
  /// run at once, those of a function with states one after the other; an output may be the memory of
  /// an input. Fails when a value that an op must check at run time is out of range.
  public func run(inputs: [MemoryView], outputs: [MemoryView]) throws(EngineError) {
    try check(inputs, self.inputs.count, plan.inputs, "input")
    try check(outputs, self.outputs.count, plan.outputs, "output")
    guard !states.isEmpty else { return try compute(inputs: inputs, outputs: outputs) }
    try stateMemory.hold(beside: inputs, outputs) { (inputs, outputs) throws(EngineError) in
      try compute(inputs: inputs, outputs: outputs)
    }
  }

  /// Makes the calls that run now end soon with `EngineError.cancelled`. From any thread.
  public func cancel() { requests.ask() }

  /// Fills a state, or all, with zeros, as it was before the first run.
  public func resetStates() throws(EngineError) { try stateMemory.reset() }

  /// Copies what a state holds to or from dense memory of its type.
  public func state(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(EngineError) {
    try stateMemory.access(index, body)
  }

  private func compute(inputs: [MemoryView], outputs: [MemoryView]) throws(EngineError) {
    let scratch =
      if let spare = scratches.take() { spare } else {
        try Scratch(plan, constants, RunControl(requests))
      }
    defer { scratches.give(scratch) }
    scratch.control.begin()
    if scratch.inputs != inputs || scratch.outputs != outputs { bind(scratch, inputs, outputs) }
    for index in scratch.copied {
      let port = plan.inputs[index]
      port.read(inputs[index], into: scratch.bases[port.view.buffer])
    }
    let frame = Frame(bases: scratch.bases, control: scratch.control)
    for (index, step) in plan.steps.enumerated() {
      if scratch.control.mustStop { break }
      let start = times == nil ? StepTimes.Moment() : .now
      step.run(frame)
      times?.add(index, since: start)
    }
    if let fault = scratch.control.fault { throw .stopped(fault) }
    if scratch.control.isCancelled { throw .cancelled }
    for (port, memory) in zip(plan.outputs, outputs) {
      let source = frame.address(port.view.place)
      if source != memory.address { port.write(source, into: memory) }
    }
  }

  /// Finds for each input and output the memory that the steps use; most calls are given what the last one was.
  private func bind(_ scratch: Scratch, _ inputs: [MemoryView], _ outputs: [MemoryView]) {
    scratch.copied.removeAll(keepingCapacity: true)
    for (index, (port, memory)) in zip(plan.inputs, inputs).enumerated() {
      let isKept = port.isReturned && meets(inputs: index, inputs, outputs)
      if port.canUse(memory), !isKept {
        scratch.bases[port.view.buffer] = memory.address
      } else {
        scratch.bases[port.view.buffer] = scratch.home(port.view.buffer)
        scratch.copied.append(index)
      }
    }
    for (index, port) in plan.outputs.enumerated() where port.isWhole {
      let isDirect =
        port.canUse(outputs[index])
        && !overlaps(index, inputs: inputs, outputs: outputs)
      scratch.bases[port.view.buffer] =
        isDirect ? outputs[index].address : scratch.home(port.view.buffer)
    }
    scratch.inputs.removeAll(keepingCapacity: true)
    scratch.inputs += inputs
    scratch.outputs.removeAll(keepingCapacity: true)
    scratch.outputs += outputs
  }

  private func check(
    _ views: [MemoryView], _ count: Int, _ ports: [Plan.Port], _ kind: String
  ) throws(EngineError) {
    guard views.count == count else {
      throw .program(
        "function `\(name)` has \(count) \(kind)s, but \(views.count) were given",
        rule: "wrong-arguments")
    }
    for (index, (view, port)) in zip(views, ports).enumerated()
    where port.rows > 1 && view.rowBytes < port.rowBytes {
      throw .program(
        "\(kind) \(index) of function `\(name)` has rows of \(port.rowBytes) bytes, but they were"
          + " given \(view.rowBytes) apart", rule: "wrong-arguments")
    }
  }

  /// Whether an input lies where an output will.
  private func meets(inputs index: Int, _ inputs: [MemoryView], _ outputs: [MemoryView]) -> Bool {
    let range = plan.inputs[index].range(inputs[index])
    return outputs.indices.contains { plan.outputs[$0].range(outputs[$0]).overlaps(range) }
  }

  /// Whether writing an output in place would change memory that is still to be read or written.
  private func overlaps(_ index: Int, inputs: [MemoryView], outputs: [MemoryView]) -> Bool {
    let range = plan.outputs[index].range(outputs[index])
    return inputs.indices.contains { plan.inputs[$0].range(inputs[$0]).overlaps(range) }
      || outputs.indices.contains {
        $0 != index && plan.outputs[$0].range(outputs[$0]).overlaps(range)
      }
  }
}

/// The memory of one call.
final class Scratch: @unchecked Sendable {
  /// The base of each buffer; those of inputs and outputs are set by each call.
  let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let control: RunControl
  /// What the bases of inputs and outputs are for, and the inputs that are copied to their homes.
  var inputs: [MemoryView] = []
  var outputs: [MemoryView] = []
  var copied: [Int] = []
  private let arena: UnsafeMutableRawPointer
  private let slots: [Int?]

  init(
    _ plan: Plan, _ constants: ConstantMemory, _ control: RunControl
  ) throws(EngineError) {
    self.control = control
    arena = try AlignedMemory.allocate(plan.arenaBytes)
    slots = plan.slots
    bases = .allocate(capacity: max(plan.buffers.count, 1))
    for (index, buffer) in plan.buffers.enumerated() {
      if case .constant(let request) = buffer.kind {
        bases[index] = UnsafeMutableRawPointer(mutating: constants.addresses[request])
      } else {
        bases[index] = home(index)
      }
    }
  }

  deinit {
    bases.deallocate()
    AlignedMemory.free(arena)
  }

  /// The buffer's own place in the arena.
  func home(_ buffer: Int) -> UnsafeMutableRawPointer { arena + (slots[buffer] ?? 0) }
}

/// Where the constants of a plan are, by request, and what keeps them there.
final class ConstantMemory: @unchecked Sendable {
  let addresses: [UnsafeRawPointer]
  private let owners: [AnyObject]

  init(addresses: [UnsafeRawPointer], owners: [AnyObject]) {
    self.addresses = addresses
    self.owners = owners
  }
}

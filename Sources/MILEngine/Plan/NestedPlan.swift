/// A block's plan inside another plan: its memory is a stretch of the outer arena, its constants are the
/// outer plan's, and its inputs are places of the outer plan.

struct NestedPlan: Sendable {
  let plan: Plan
  /// The outer buffer of each constant.
  private let constants: [Int]
  /// The outer stretch that holds the block's own buffers.
  private let arena: Place
  private let inputBuffers: [(inner: Int, input: Int)]

  /// Plans a block and gives it memory of the outer plan.
  init(_ function: CheckedFunction, in lowering: inout Lowering) throws(Diagnostic) {
    plan = try Plan(function, arithmetic: lowering.arithmetic)
    constants = plan.requests.map { lowering.buffer(of: $0) }
    arena = lowering.newView([(plan.arenaBytes + Liveness.alignment) / 4]).place
    inputBuffers = plan.inputs.enumerated().map { ($1.view.buffer, $0) }
  }

  var reads: [Int] { constants }
  var writes: [Int] { [arena.buffer] }

  /// Runs the block over dense inputs; `body` sees where its results are.
  func run(
    _ frame: Frame, inputs: [Place], _ body: (_ outputs: [UnsafeMutableRawPointer]) -> Void
  ) {
    withUnsafeTemporaryAllocation(
      of: UnsafeMutableRawPointer.self, capacity: plan.buffers.count + 1
    ) { bases in
      let home = frame.address(arena)
      for (index, buffer) in plan.buffers.enumerated() {
        if case .constant(let request) = buffer.kind {
          bases.initializeElement(at: index, to: frame.bases[constants[request]])
        } else {
          bases.initializeElement(at: index, to: home + (plan.slots[index] ?? 0))
        }
      }
      for (inner, input) in inputBuffers { bases[inner] = frame.address(inputs[input]) }
      guard let first = bases.baseAddress else { return }
      let inside = Frame(bases: first, control: frame.control)
      for step in plan.steps {
        if frame.control.mustStop { return }
        step.run(inside)
      }
      body(plan.outputs.map { inside.address($0.view.place) })
    }
  }
}

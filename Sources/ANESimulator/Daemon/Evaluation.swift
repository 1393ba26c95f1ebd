/// One request against one loaded program: what the driver checks before the engine runs, and the
/// run.

import ANEProfiles
import MILEngine

struct Evaluation {
  /// Which of the program's procedures runs.
  let index: Int
  private let procedure: ExecutableFunction
  /// In declared order.
  private let inputs: [MemoryView]
  private let outputs: [MemoryView]
  private let written: [(surface: Surface, operand: Operand)]
  private let profile: Profile

  init(
    _ program: LoadedProgram, _ request: RequestObject, _ profile: Profile,
    route: String = "client"
  ) throws(Failure) {
    let (index, inputs, outputs) = try request.bindings()
    guard program.procedures.indices.contains(index) else {
      throw .evaluation(
        status: 0x2,
        "procedure \(index) of a program that has \(program.procedures.count)")
    }
    let layout = program.layout.procedures[index]
    self.index = index
    procedure = program.procedures[index]
    self.profile = profile
    let desk = SurfaceDesk(function: layout.name, profile: profile)
    let read = try desk.place(inputs, on: layout.inputs, "input")
    let written = try desk.place(outputs, on: layout.outputs, "output")
    try desk.checkApart(read, written, route: route)
    try Geometry(procedure, layout, profile).check()
    self.inputs = read.map(\.view)
    self.outputs = written.map(\.view)
    self.written = written.map { ($0.surface, $0.operand) }
  }

  func run() throws(Failure) {
    do {
      try procedure.run(inputs: inputs, outputs: outputs)
    } catch {
      throw .evaluation(status: 0x16, "the engine stopped: \(error.message)")
    }
    for (surface, operand) in written {
      if let value = constantResult { operand.fill(surface.memory, with: value) }
      surface.touch()
    }
  }

  /// What every output is filled with where the engine does not do as it is told.
  private var constantResult: Float? {
    let conduct = profile.conduct
    if conduct.soleIdentityIsNaN, procedure.traits.endsInIdentity { return .nan }
    let isNarrow = (procedure.inputs + procedure.outputs).contains {
      !profile.limits.takes(width: $0.type.shape.last ?? 1)
    }
    return conduct.narrowWidth == .zeros && isNarrow ? 0 : nil
  }
}

/// The widths that the engine can address.
private struct Geometry {
  let procedure: ExecutableFunction
  let name: String
  let profile: Profile

  init(_ procedure: ExecutableFunction, _ layout: ProcedureLayout, _ profile: Profile) {
    self.procedure = procedure
    name = layout.name
    self.profile = profile
  }

  func check() throws(Failure) {
    let range = profile.conduct.faultingWidths
    if let first = range.first, let last = range.last,
      let width = procedure.traits.widths.first(where: { (first...last).contains($0) })
    {
      throw .evaluation(
        status: 0x1d,
        "procedure \(name) has a tensor \(width) wide; widths from \(first) to \(last) fault")
    }
    let narrow = (procedure.inputs + procedure.outputs).first {
      !profile.limits.takes(width: $0.type.shape.last ?? 1)
    }
    guard let narrow else { return }
    let reason =
      "\(narrow.name) of procedure \(name) is \(narrow.type.shape.last ?? 1) wide; expected at"
      + " least \(profile.limits.widthMin) and a multiple of \(profile.limits.widthMultiple)"
    switch profile.conduct.narrowWidth {
    case .zeros: return
    case .fault: throw .evaluation(status: 0x16, reason)
    case .refusal: throw .evaluation(status: 0x1d, reason)
    }
  }
}

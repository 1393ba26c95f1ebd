/// One request against one loaded program: what the driver checks before the engine runs, and the
/// run.

import ANEProfiles
import MILEngine

struct Evaluation {
  let procedure: ExecutableFunction
  /// In declared order.
  private let inputs: [MemoryView]
  private let outputs: [MemoryView]
  private let written: [Surface]

  init(_ program: LoadedProgram, _ request: RequestObject, _ profile: Profile) throws(Failure) {
    let (index, inputs, outputs) = try request.bindings()
    guard program.procedures.indices.contains(index) else {
      throw .evaluation(
        status: 0x2,
        "procedure \(index) of a program that has \(program.procedures.count)")
    }
    let layout = program.layout.procedures[index]
    procedure = program.procedures[index]
    let limits = profile.limits
    self.inputs = try Evaluation.place(inputs, on: layout.inputs, "input", layout.name, limits)
    self.outputs = try Evaluation.place(outputs, on: layout.outputs, "output", layout.name, limits)
    written = outputs.map(\.surface)
  }

  func run() throws(Failure) {
    do {
      try procedure.run(inputs: inputs, outputs: outputs)
    } catch {
      throw .evaluation(status: 0x16, "the engine stopped: \(error.message)")
    }
    for surface in written { surface.touch() }
  }

  /// Matches surfaces with operands by symbol, one for each; returned in declared order.
  private static func place(
    _ bindings: [RequestObject.Binding], on operands: [Operand], _ side: String,
    _ function: String, _ limits: Limits
  ) throws(Failure) -> [MemoryView] {
    var rows = [MemoryView?](repeating: nil, count: operands.count)
    for binding in bindings {
      guard let operand = operands.first(where: { $0.symbol == binding.symbol }) else {
        throw .evaluation(
          status: 0x2,
          "\(side) symbol \(binding.symbol) is none of procedure \(function)'s"
            + " (\(operands.map { "\($0.symbol) \($0.name)" }.joined(separator: ", ")))")
      }
      guard rows[operand.position] == nil else {
        throw .evaluation(
          status: 0x1d, "\(side) \(operand.name) of procedure \(function) has two surfaces")
      }
      try check(binding.surface.geometry, for: operand, side, limits)
      rows[operand.position] = MemoryView(
        address: binding.surface.memory, rowBytes: operand.rowStride)
    }
    let missing = operands.filter { rows[$0.position] == nil }.map(\.name)
    guard missing.isEmpty else {
      throw .evaluation(
        status: 0x1d,
        "procedure \(function) has \(operands.count) \(side)s, the request binds"
          + " \(bindings.count); missing: \(missing.joined(separator: ", "))")
    }
    return rows.compactMap { $0 }
  }

  /// The surface holds all rows at the stride that the attributes give.
  private static func check(
    _ surface: Surface.Geometry, for operand: Operand, _ side: String, _ limits: Limits
  ) throws(Failure) {
    guard surface.allocationBytes >= operand.byteCount else {
      throw .evaluation(
        status: 0x1d,
        "\(side) \(operand.name) needs a surface of \(operand.byteCount) bytes (rows"
          + " \(operand.rowStride) bytes apart), it has \(surface.allocationBytes)")
    }
    guard surface.height <= 1 || surface.bytesPerRow % limits.rowAlignmentBytes == 0 else {
      throw .evaluation(
        status: 0x1d,
        "\(side) \(operand.name) has a surface with rows of \(surface.bytesPerRow) bytes;"
          + " expected a multiple of \(limits.rowAlignmentBytes)")
    }
  }
}

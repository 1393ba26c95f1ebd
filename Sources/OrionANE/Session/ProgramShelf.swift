/// The programs of a bundle, compiled and loaded when they are first asked for. It knows no step.
final class ProgramShelf {
  private let bundle: Bundle
  private let backend: any Backend
  private var loaded: [(any LoadedProgram)?]

  init(_ bundle: Bundle, on backend: any Backend) {
    self.bundle = bundle
    self.backend = backend
    loaded = Array(repeating: nil, count: bundle.manifest.programs.count)
  }

  deinit {
    for program in loaded { try? program?.unload() }
  }

  /// The program at `index` of the manifest, which has the inputs and outputs that the manifest names.
  func program(_ index: Int) throws(OrionError) -> any LoadedProgram {
    if let program = loaded[index] { return program }
    let row = bundle.manifest.programs[index]
    let text = try bundle.text(of: row)
    let program: any LoadedProgram
    do {
      program = try backend.load(
        ProgramSource(text: text, weights: bundle.weights, function: row.function))
    } catch {
      throw OrionError(error.kind, "program \"\(row.name)\": \(error.message)")
    }
    try compare(program.inputs, row.inputs, "input", row)
    try compare(program.outputs, row.outputs, "output", row)
    loaded[index] = program
    return program
  }

  private func compare(
    _ ports: [Port], _ rows: [Manifest.PortRow], _ direction: String,
    _ program: Manifest.ProgramRow
  ) throws(OrionError) {
    let place = "program \"\(program.name)\" (\(bundle.path(of: program.file)))"
    let remedy = "build the bundle again (orion compile)"
    for port in ports {
      guard let row = rows.first(where: { $0.name == port.name }) else {
        throw OrionError(
          .program,
          "\(place): its \(direction) \"\(port.name)\" has no role in the manifest; \(remedy)")
      }
      guard port.layout.dtype == row.dtype, port.layout.shape == row.shape else {
        throw OrionError(
          .program,
          "\(place), \(direction) \"\(port.name)\": the manifest says \(row.text), the program"
            + " says \(port.layout.dtype.rawValue) \(port.layout.shape); \(remedy)")
      }
    }
    if let missing = rows.first(where: { row in !ports.contains { $0.name == row.name } }) {
      throw OrionError(
        .program,
        "\(place): it has no \(direction) \"\(missing.name)\", which the manifest lists;"
          + " \(remedy)")
    }
  }
}

/// A program with the tensors it reads and writes, in declared order.
struct BoundProgram {
  let name: String
  let program: any LoadedProgram
  var inputs: [any TensorStorage]
  let outputs: [any TensorStorage]

  func evaluate() throws(OrionError) {
    do {
      try program.evaluate(inputs: inputs, outputs: outputs)
    } catch {
      throw OrionError(error.kind, "program \"\(name)\": \(error.message)")
    }
  }
}

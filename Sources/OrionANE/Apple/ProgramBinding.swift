/// Ports of a loaded program in declared order, and the symbols that surfaces are bound by. A request
/// lists surfaces by rising symbol, which is also the order of their names: it is then right for a driver
/// that looks at the symbols, and for one that goes by the order alone.
final class ProgramBinding: Sendable {
  let function: String
  let inputs: [Port]
  let outputs: [Port]
  /// Which port each surface of a request belongs to.
  let inputOrder: [Int]
  let outputOrder: [Int]
  let inputSymbols: ForeignObject
  let outputSymbols: ForeignObject
  let procedure: ForeignObject
  /// For the trace: names with their symbols.
  let note: String

  init(
    _ signature: ProgramSignature, _ attributes: ModelAttributes, function: String,
    _ foreign: Foreign
  ) throws(OrionError) {
    self.function = function
    let inputs = try Self.match(signature.inputs, attributes.inputs, "input", function)
    let outputs = try Self.match(signature.outputs, attributes.outputs, "output", function)
    self.inputs = inputs.map(\.port)
    self.outputs = outputs.map(\.port)
    inputOrder = inputs.indices.sorted { inputs[$0].symbol < inputs[$1].symbol }
    outputOrder = outputs.indices.sorted { outputs[$0].symbol < outputs[$1].symbol }
    inputSymbols = try Self.numbers(inputOrder.map { inputs[$0].symbol }, foreign)
    outputSymbols = try Self.numbers(outputOrder.map { outputs[$0].symbol }, foreign)
    procedure = try foreign.makeNumber(attributes.procedure)
    let symbols = { (bound: [Bound]) in
      bound.map { "\($0.port.name)=\($0.symbol)" }.joined(separator: " ")
    }
    note = "in \(symbols(inputs)) out \(symbols(outputs)) procedure \(attributes.procedure)"
  }

  private struct Bound {
    let port: Port
    let symbol: Int
  }

  /// The framework's spelling of element types.
  private static let types: [(framework: String, dtype: DType)] = [
    ("Float16", .fp16), ("Float32", .fp32), ("Int32", .int32), ("Int8", .int8),
    ("UInt8", .uint8), ("Int16", .int16), ("UInt16", .uint16), ("Bool", .bool),
  ]

  private static func match(
    _ declared: [ProgramSignature.Operand], _ loaded: [ModelAttributes.Operand], _ role: String,
    _ function: String
  ) throws(OrionError) -> [Bound] {
    guard declared.count == loaded.count else {
      let names = loaded.map(\.name).joined(separator: ", ")
      throw OrionError(
        .device,
        "program \(function): the text declares \(declared.count) \(role)s,"
          + " the loaded model has \(loaded.count) (\(names))")
    }
    var bound: [Bound] = []
    for operand in declared {
      guard let found = loaded.first(where: { $0.name == operand.name }) else {
        let names = loaded.map(\.name).joined(separator: ", ")
        throw OrionError(
          .device,
          "program \(function), \(role) \(operand.name): not among the loaded model's (\(names))")
      }
      bound.append(try bind(operand, found, "program \(function), \(role) \(operand.name)"))
    }
    return bound
  }

  private static func bind(
    _ operand: ProgramSignature.Operand, _ found: ModelAttributes.Operand, _ thing: String
  ) throws(OrionError) -> Bound {
    let width = operand.shape.last ?? 1
    let rowCount = operand.shape.dropLast().reduce(1, *)
    let type = types.first { $0.framework == found.type }?.dtype
    guard type == operand.dtype, found.width == width, found.rowCount == rowCount else {
      throw OrionError(
        .device,
        "\(thing): declared \(operand.dtype.rawValue) \(operand.shape), loaded as \(found.type)"
          + " with \(found.rowCount) rows of \(found.width)")
    }
    guard found.rowStride >= width * operand.dtype.byteCount else {
      throw OrionError(
        .device, "\(thing): rows of \(found.rowStride) bytes cannot hold \(width) elements")
    }
    let plane = found.rowStride * max(found.height, 1)
    guard found.planeStride ?? plane == plane else {
      throw OrionError(
        .device,
        "\(thing): planes are \(found.planeStride ?? 0) bytes apart, expected \(plane);"
          + " padding between planes is not known to work")
    }
    let layout = Layout(dtype: operand.dtype, shape: operand.shape, rowBytes: found.rowStride)
    return Bound(port: Port(name: operand.name, layout: layout), symbol: found.symbol)
  }

  private static func numbers(_ values: [Int], _ foreign: Foreign)
    throws(OrionError) -> ForeignObject
  {
    var numbers: [ForeignObject] = []
    for value in values { numbers.append(try foreign.makeNumber(value)) }
    return try foreign.makeArray(numbers.map(\.reference))
  }
}

/// How a loaded program's inputs and outputs lie in memory and which symbols stand for them: what
/// the framework tells clients as a model's attributes.

import MILEngine

/// An input or output of a procedure.
struct Operand: Sendable {
  let name: String
  /// Its place in the declaration.
  let position: Int
  /// Its place among the inputs or outputs of the whole program, sorted by name.
  let symbol: Int
  let dtype: DType
  let depth: Int
  let batch: Int
  let channels: Int
  let height: Int
  let width: Int
  let rowStride: Int

  var planeStride: Int { height.times(rowStride) }
  /// Every row at the stride, the last one too.
  var byteCount: Int { depth.times(batch).times(channels).times(planeStride) }
}

struct ProcedureLayout: Sendable {
  let name: String
  /// By symbol.
  let inputs: [Operand]
  let outputs: [Operand]
}

struct ProgramLayout: Sendable {
  /// In the order of the text.
  let procedures: [ProcedureLayout]
  /// Names by symbol; a name that several procedures have stands once for each.
  let inputSymbols: [String]
  let outputSymbols: [String]

  init(_ procedures: [ExecutableFunction], rowAlignment: Int) {
    let inputs = ProgramLayout.place(procedures.map(\.inputs), rowAlignment)
    let outputs = ProgramLayout.place(procedures.map(\.outputs), rowAlignment)
    self.procedures = procedures.indices.map {
      ProcedureLayout(
        name: procedures[$0].name, inputs: inputs.sides[$0], outputs: outputs.sides[$0])
    }
    inputSymbols = inputs.symbols
    outputSymbols = outputs.symbols
  }

  /// Numbers the operands of all procedures by name.
  private static func place(_ sides: [[ExecutablePort]], _ rowAlignment: Int)
    -> (sides: [[Operand]], symbols: [String])
  {
    let all = sides.indices.flatMap { procedure in
      sides[procedure].indices.map { (procedure, $0, sides[procedure][$0].name) }
    }
    let sorted = all.sorted { ($0.2, $0.0) < ($1.2, $1.0) }
    var placed = [[Operand]](repeating: [], count: sides.count)
    for (symbol, (procedure, position, _)) in sorted.enumerated() {
      placed[procedure].append(
        operand(sides[procedure][position], position, symbol, rowAlignment))
    }
    return (placed, sorted.map(\.2))
  }

  private static func operand(
    _ port: ExecutablePort, _ position: Int, _ symbol: Int, _ rowAlignment: Int
  ) -> Operand {
    let axes = [Int](repeating: 1, count: max(0, 4 - port.type.shape.count)) + port.type.shape
    let last = axes.suffix(4)
    let (batch, channels, height, width) = (
      last[last.startIndex], last[last.startIndex + 1], last[last.startIndex + 2],
      last[last.startIndex + 3]
    )
    let rowBytes = width.times(port.type.dtype.elementBytes)
    let rows = rowBytes / rowAlignment + (rowBytes % rowAlignment == 0 ? 0 : 1)
    return Operand(
      name: port.name, position: position, symbol: symbol, dtype: port.type.dtype,
      depth: axes.dropLast(4).reduce(1) { $0.times($1) }, batch: batch, channels: channels,
      height: height, width: width, rowStride: rows.times(rowAlignment))
  }
}

extension Int {
  /// The product, or the largest number when it is larger.
  fileprivate func times(_ other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? Int.max : product
  }
}

extension DType {
  fileprivate var elementBytes: Int {
    switch self {
    case .fp64, .int64, .uint64: 8
    case .fp32, .int32, .uint32: 4
    case .fp16, .bf16, .int16, .uint16: 2
    default: 1
    }
  }

  /// As the framework spells it.
  fileprivate var frameworkName: String {
    switch self {
    case .fp16: "Float16"
    case .fp32: "Float32"
    case .fp64: "Float64"
    case .bf16: "BFloat16"
    case .bool: "Bool"
    default:
      rawValue.hasPrefix("u") ? "UInt\(rawValue.dropFirst(4))" : "Int\(rawValue.dropFirst(3))"
    }
  }
}

extension ProgramLayout {
  /// The dictionary of a loaded model, with a count of one.
  func attributes(_ world: World?) -> DictionaryObject {
    let maker = AttributeMaker(world: world)
    let description = maker.dictionary([
      ("kANEFModelInputSymbolsArrayKey", maker.strings(inputSymbols)),
      ("kANEFModelOutputSymbolsArrayKey", maker.strings(outputSymbols.map { "\($0)@output" })),
      (
        "kANEFModelProcedureNameToIDMapKey",
        maker.dictionary(procedures.indices.map { (procedures[$0].name, maker.number($0)) })
      ),
      (
        "ANEFModelProcedures",
        maker.array(
          procedures.indices.map { index in
            maker.dictionary([
              ("ANEFModelProcedureID", maker.number(index)),
              (
                "ANEFModelInputSymbolIndexArray",
                maker.array(procedures[index].inputs.map { maker.number($0.symbol) })
              ),
              (
                "ANEFModelOutputSymbolIndexArray",
                maker.array(procedures[index].outputs.map { maker.number($0.symbol) })
              ),
            ])
          })
      ),
    ])
    let networks = procedures.map { procedure in
      maker.dictionary([
        ("Name", maker.string(procedure.name)),
        ("LiveInputList", maker.array(procedure.inputs.map { maker.operand($0, suffix: "") })),
        (
          "LiveOutputList",
          maker.array(procedure.outputs.map { maker.operand($0, suffix: "@output") })
        ),
      ])
    }
    return maker.dictionary([
      ("ANEFModelDescription", description), ("NetworkStatusList", maker.array(networks)),
    ])
  }
}

/// Makes the objects of the attributes; each has a count of one that its container takes over.
private struct AttributeMaker {
  let world: World?

  func string(_ text: String) -> Instance { StringObject(text, world: world) }
  func number(_ value: Int) -> Instance { NumberObject(.integer(Int64(value)), world: world) }
  func array(_ elements: [Instance]) -> Instance { ArrayObject.owning(elements, world: world) }
  func strings(_ texts: [String]) -> Instance { array(texts.map { string($0) }) }
  func dictionary(_ entries: [(String, Instance)]) -> DictionaryObject {
    DictionaryObject.owning(entries, world: world)
  }

  func operand(_ operand: Operand, suffix: String) -> Instance {
    dictionary([
      ("Name", string(operand.name + suffix)), ("Symbol", string(operand.name + suffix)),
      ("Type", string(operand.dtype.frameworkName)), ("BatchSize", number(operand.batch)),
      ("Channels", number(operand.channels)), ("Height", number(operand.height)),
      ("Width", number(operand.width)), ("Depth", number(operand.depth)),
      ("RowStride", number(operand.rowStride)), ("PlaneStride", number(operand.planeStride)),
    ])
  }
}

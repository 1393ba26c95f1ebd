/// What a loaded model says of one procedure: its inputs and outputs with symbols, sizes and strides.
struct ModelAttributes: Sendable {
  struct Operand: Sendable, Hashable {
    let name: String
    let symbol: Int
    /// As the framework spells it, `Float16`.
    let type: String
    /// Product of all axes but the last.
    let rowCount: Int
    let width: Int
    let rowStride: Int
    /// Bytes of a channel; `nil` when not given.
    let planeStride: Int?
    let height: Int
  }
  let procedure: Int
  let inputs: [Operand]
  let outputs: [Operand]

  /// Reads the dictionary of a model that was loaded. `function` chooses the procedure.
  init(_ attributes: FunctionTable.Reference, function: String, _ foreign: Foreign)
    throws(OrionError)
  {
    let reader = AttributeReader(foreign: foreign, function: function)
    let description = try reader.dictionary("ANEFModelDescription", in: attributes)
    let procedures = try reader.array("ANEFModelProcedures", in: description)
    let identifier = try reader.procedure(in: description, count: procedures.count)
    var position: Int?
    for (index, procedure) in procedures.enumerated()
    where try reader.integer("ANEFModelProcedureID", in: procedure) == identifier {
      position = index
    }
    guard let position else {
      throw reader.fault("no procedure with the identifier \(identifier)")
    }
    let networks = try reader.array("NetworkStatusList", in: attributes)
    guard networks.indices.contains(position) else {
      throw reader.fault(
        "NetworkStatusList has \(networks.count) entries, expected \(position + 1)")
    }
    procedure = identifier
    let sides = [
      ("kANEFModelInputSymbolsArrayKey", "ANEFModelInputSymbolIndexArray", "LiveInputList"),
      ("kANEFModelOutputSymbolsArrayKey", "ANEFModelOutputSymbolIndexArray", "LiveOutputList"),
    ]
    var read: [[Operand]] = []
    for (symbols, indices, live) in sides {
      let names = try reader.strings(symbols, in: description)
      let numbers = try reader.integers(indices, in: procedures[position])
      let entries = try reader.array(live, in: networks[position])
      read.append(try reader.operands(entries, names: names, numbers: numbers))
    }
    inputs = read[0]
    outputs = read[1]
  }
}

/// Reads the nested dictionaries and says which key was missing.
private struct AttributeReader {
  typealias Reference = FunctionTable.Reference
  let foreign: Foreign
  let function: String

  func fault(_ what: String) -> OrionError {
    OrionError(
      .device,
      "program \(function): the loaded model's attributes: \(what);"
        + " this version of the system is not known to work")
  }

  func dictionary(_ key: String, in holder: Reference) throws(OrionError) -> Reference {
    guard let found = try foreign.value(key, in: holder) else { throw fault("no \(key)") }
    return found
  }

  func array(_ key: String, in holder: Reference) throws(OrionError) -> [Reference] {
    guard let found = foreign.array(try foreign.value(key, in: holder)) else {
      throw fault("no array \(key)")
    }
    return found
  }

  func integer(_ key: String, in holder: Reference) throws(OrionError) -> Int {
    guard let found = foreign.integer(try foreign.value(key, in: holder)) else {
      throw fault("no number \(key)")
    }
    return found
  }

  func string(_ key: String, in holder: Reference) throws(OrionError) -> String {
    guard let found = foreign.string(try foreign.value(key, in: holder)) else {
      throw fault("no text \(key)")
    }
    return found
  }

  func strings(_ key: String, in holder: Reference) throws(OrionError) -> [String] {
    try array(key, in: holder).compactMap { foreign.string($0) }
  }

  func integers(_ key: String, in holder: Reference) throws(OrionError) -> [Int] {
    try array(key, in: holder).compactMap { foreign.integer($0) }
  }

  /// The identifier of the procedure called `function`; a model with one procedure needs no map.
  func procedure(in description: Reference, count: Int) throws(OrionError) -> Int {
    let map = try foreign.value("kANEFModelProcedureNameToIDMapKey", in: description)
    if let found = foreign.integer(try foreign.value(function, in: map)) { return found }
    guard map == nil, count == 1 else { throw fault("no procedure called \(function)") }
    return 0
  }

  /// Pairs each live entry with the index of its symbol, which is what a request binds by.
  func operands(_ entries: [Reference], names: [String], numbers: [Int])
    throws(OrionError) -> [ModelAttributes.Operand]
  {
    var operands: [ModelAttributes.Operand] = []
    for entry in entries {
      let name = try string("Name", in: entry)
      let symbol = foreign.string(try foreign.value("Symbol", in: entry)) ?? name
      let spellings = [Self.plain(name), Self.plain(symbol)]
      let index = numbers.first {
        names.indices.contains($0) && spellings.contains(Self.plain(names[$0]))
      }
      guard let index else { throw fault("\(name) has no symbol index") }
      var rowCount = 1
      for key in ["BatchSize", "Batches", "Channels", "Height", "Depth"] {
        guard let length = foreign.integer(try foreign.value(key, in: entry)) else { continue }
        let (product, overflow) = rowCount.multipliedReportingOverflow(by: max(length, 1))
        guard !overflow else { throw fault("\(name) is too large") }
        rowCount = product
      }
      operands.append(
        ModelAttributes.Operand(
          name: spellings[0], symbol: index, type: try string("Type", in: entry),
          rowCount: rowCount,
          width: try integer("Width", in: entry), rowStride: try integer("RowStride", in: entry),
          planeStride: foreign.integer(try foreign.value("PlaneStride", in: entry)),
          height: try integer("Height", in: entry)))
    }
    return operands
  }
  /// Outputs are listed as `name@output` in some places and as `name` in others.
  private static func plain(_ name: String) -> String {
    let suffix = "@output"
    return name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
  }
}

import MILEngine

/// The facts of a bundle, as rows. Reading them checks each field by itself; `ManifestChecks` compares them.
struct Manifest: Sendable {
  /// The format this version reads.
  static let format = 1
  /// Upper bound of counts and lengths: token ids are 32-bit.
  static let countMax = Int(Int32.max)
  static let rankMax = 8
  /// Upper bound of a tensor's elements, so that no later product of sizes overflows.
  static let elementsMax = 1 << 40

  let generator: String
  let profile: String
  let modelType: String
  let vocabulary: Int
  let context: Int
  let beginToken: Int?
  let endTokens: [Int]
  let parameters: Int
  let files: [FileRow]
  let tables: [TableRow]
  let programs: [ProgramRow]
  let steps: [StepRow]
  let head: HeadRow

  struct FileRow: Sendable {
    let name: String
    let bytes: Int
    /// 64 hexadecimal digits, lower case.
    let sha256: String
    let field: String
  }

  /// Rows of numbers in weights.bin; `offset` names the record, as in MIL.
  struct TableRow: Sendable {
    let name: String
    let offset: Int
    let dtype: DType
    let rows: Int
    let width: Int
  }

  struct ProgramRow: Sendable {
    let name: String
    let file: String
    let function: String
    let inputs: [PortRow]
    let outputs: [PortRow]

    func role(ofInput name: String) -> Role? { inputs.first { $0.name == name }?.role }
    func role(ofOutput name: String) -> Role? { outputs.first { $0.name == name }?.role }
  }

  struct PortRow: Sendable {
    let name: String
    let dtype: DType
    let shape: [Int]
    let role: Role
  }

  /// Programs, by index, that take up to `columns` new tokens over `cache` slots of earlier ones.
  struct StepRow: Sendable {
    let columns: Int
    let cache: Int
    let programs: [Int]
    /// New tokens take slots among the `cache` too; else the slots hold earlier tokens alone.
    let isPlaced: Bool

    /// The most new tokens it takes beside `earlier` ones.
    func room(beside earlier: Int) -> Int {
      if earlier > cache { return 0 }
      return isPlaced ? min(columns, cache - earlier) : columns
    }
  }

  /// Programs, by index, that make logits from up to `columns` columns of the hidden state.
  struct HeadRow: Sendable {
    let columns: Int
    let programs: [Int]
  }
}

extension Manifest {
  /// Reads `root`, refusing other formats by number and another profile by name.
  init(_ root: ManifestField, profile wanted: String) throws(OrionError) {
    let format = try root.required("format").integer(0...Manifest.countMax)
    guard format == Manifest.format else {
      throw root.fault(
        "the bundle has format \(format), this version reads format \(Manifest.format)")
    }
    profile = try root.required("profile").string()
    guard profile == wanted else {
      throw root.fault(
        "the bundle is compiled for profile \"\(profile)\", the device has profile \"\(wanted)\"")
    }
    generator = try root.optional("generator")?.string() ?? "unknown"
    modelType = try root.required("model_type").string()
    vocabulary = try root.required("vocabulary").integer(1...Manifest.countMax)
    context = try root.required("context").integer(1...Manifest.countMax)
    let ids = 0...vocabulary - 1
    beginToken = try root.optional("begin_token")?.integer(ids)
    endTokens = try Manifest.list(root.required("end_tokens")) { field throws(OrionError) in
      try field.integer(ids)
    }
    parameters = try root.optional("parameters")?.integer(0...Int.max) ?? 0
    files = try Manifest.files(root.required("files"))
    tables = try Manifest.tables(root.required("tables"))
    let programField = try root.required("programs")
    programs = try Manifest.list(programField, Manifest.program)
    let (programs, names) = (self.programs, programs.map(\.name))
    if let twice = Manifest.duplicate(names) {
      throw programField.fault("two programs are called \"\(twice)\"")
    }
    steps = try Manifest.list(root.required("steps")) { field throws(OrionError) in
      let indices = try Manifest.references(field, to: names)
      return StepRow(
        columns: try field.required("columns").integer(1...Manifest.countMax),
        cache: try field.required("cache").integer(0...Manifest.countMax), programs: indices,
        isPlaced: indices.contains { programs[$0].inputs.contains { $0.role == .placement } })
    }
    let headField = try root.required("head")
    head = HeadRow(
      columns: try headField.required("columns").integer(1...Manifest.countMax),
      programs: try Manifest.references(headField, to: names))
  }

  /// What users ask of a model, as JSON.
  var facts: JSONValue {
    [
      "format": JSONValue(Manifest.format), "generator": JSONValue(generator),
      "profile": JSONValue(profile), "model_type": JSONValue(modelType),
      "vocabulary": JSONValue(vocabulary), "context": JSONValue(context),
      "begin_token": beginToken.map { JSONValue($0) } ?? .null,
      "end_tokens": JSONValue(endTokens), "parameters": JSONValue(parameters),
      "programs": JSONValue(programs.map(\.name)),
      "steps": .array(
        steps.map { ["columns": JSONValue($0.columns), "cache": JSONValue($0.cache)] }),
      "slots": JSONValue(steps.map(\.cache).max() ?? 0), "head_columns": JSONValue(head.columns),
    ]
  }

  static func list<T>(
    _ field: ManifestField, _ read: (ManifestField) throws(OrionError) -> T
  ) throws(OrionError) -> [T] {
    var rows: [T] = []
    for element in try field.elements() { rows.append(try read(element)) }
    return rows
  }

  static func duplicate(_ names: [String]) -> String? {
    var seen: Set<String> = []
    return names.first { !seen.insert($0).inserted }
  }

  private static func files(_ field: ManifestField) throws(OrionError) -> [FileRow] {
    var rows: [FileRow] = []
    for (name, row) in try field.members() {
      let digest = try row.required("sha256")
      let text = try digest.string()
      let isDigest =
        text.utf8.count == 64
        && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
      guard isDigest else { throw digest.fault(expected: "64 hexadecimal digits in lower case") }
      rows.append(
        FileRow(
          name: name, bytes: try row.required("bytes").integer(0...Int.max), sha256: text,
          field: row.path))
    }
    return rows
  }

  private static func tables(_ field: ManifestField) throws(OrionError) -> [TableRow] {
    var rows: [TableRow] = []
    for (name, row) in try field.members() {
      rows.append(
        TableRow(
          name: name, offset: try row.required("offset").integer(0...Int.max),
          dtype: try dtype(row, [.fp32, .fp16, .bf16]),
          rows: try row.required("rows").integer(1...countMax),
          width: try row.required("width").integer(1...countMax)))
    }
    return rows
  }

  private static func program(_ field: ManifestField) throws(OrionError) -> ProgramRow {
    let inputs = try list(field.required("inputs")) { row throws(OrionError) in
      try port(row, .input)
    }
    let outputs = try list(field.required("outputs")) { row throws(OrionError) in
      try port(row, .output)
    }
    if let twice = duplicate((inputs + outputs).map(\.name)) {
      throw field.fault("two inputs or outputs are called \"\(twice)\"")
    }
    return ProgramRow(
      name: try field.required("name").string(), file: try field.required("file").string(),
      function: try field.optional("function")?.string() ?? "main", inputs: inputs,
      outputs: outputs)
  }

  private static func port(_ field: ManifestField, _ direction: RoleRow.Direction)
    throws(OrionError) -> PortRow
  {
    let shapeField = try field.required("shape")
    let shape = try list(shapeField) { axis throws(OrionError) in try axis.integer(1...countMax) }
    guard (1...rankMax).contains(shape.count) else {
      throw shapeField.fault("expected 1 to \(rankMax) axes, got \(shape.count)")
    }
    var elements = 1
    for axis in shape {
      guard axis <= elementsMax / elements else {
        throw shapeField.fault("the shape \(shape) has more than \(elementsMax) elements")
      }
      elements *= axis
    }
    return PortRow(
      name: try field.required("name").string(), dtype: try dtype(field, [.fp32, .fp16]),
      shape: shape, role: try RoleRow.role(field.required("role"), of: direction))
  }

  private static func dtype(_ field: ManifestField, _ allowed: [DType]) throws(OrionError) -> DType
  {
    let row = try field.required("dtype")
    guard let dtype = DType(rawValue: try row.string()), allowed.contains(dtype) else {
      let names = allowed.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw row.fault(expected: "one of \(names)")
    }
    return dtype
  }

  private static func references(_ field: ManifestField, to names: [String]) throws(OrionError)
    -> [Int]
  {
    let list = try field.required("programs")
    let indices = try self.list(list) { row throws(OrionError) in
      let name = try row.string()
      guard let index = names.firstIndex(of: name) else {
        throw row.fault("no program is called \"\(name)\"")
      }
      return index
    }
    guard !indices.isEmpty else { throw list.fault("expected at least one program, got none") }
    return indices
  }
}

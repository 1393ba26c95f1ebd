/// Compares a manifest's rows with one another, so that a session can carry them out without asking again.
///
/// What must hold:
/// - programs and tables name files of the bundle; tables cover the vocabulary or the context;
/// - each port has the shape that its role, its table and the columns of its step ask for;
/// - hidden states fit from program to program and from every step to the head;
/// - every step makes the same cache entries, and steps with a cache read exactly those;
/// - new tokens are seen beside the cache, or placed in it, by all programs of a step alike;
/// - some step takes the next token wherever in the context a session stands;
/// - the head's tiles cover the vocabulary once;
/// - adapters' matrices come in pairs of one rank, the same in every step.
struct ManifestChecks {
  let manifest: Manifest
  let root: ManifestField

  static func check(_ manifest: Manifest, _ root: ManifestField) throws(OrionError) {
    let checks = ManifestChecks(manifest: manifest, root: root)
    try checks.checkFiles()
    try checks.checkTables()
    try checks.checkHead()
    try checks.checkSteps()
    try AdapterSlots.check(manifest) { path, message in checks.fault(path, message) }
  }

  /// A fault with the path of the row it is in.
  private func fault(_ path: String, _ message: String) -> OrionError {
    ManifestField(.null, file: root.file, path: path).fault(message)
  }

  private func checkFiles() throws(OrionError) {
    let names = Set(manifest.files.map(\.name))
    for row in manifest.files {
      guard Bundle.staysInside(row.name) else {
        throw fault(row.field, "the path \"\(row.name)\" leaves the bundle's directory")
      }
    }
    for (index, program) in manifest.programs.enumerated() where !names.contains(program.file) {
      throw fault(
        "programs[\(index)].file", "\"\(program.file)\" is not listed under \"files\"")
    }
  }

  private func checkTables() throws(OrionError) {
    guard !manifest.tables.isEmpty else { return }
    guard manifest.files.contains(where: { $0.name == Bundle.weightsName }) else {
      throw fault("files", "\"\(Bundle.weightsName)\" is missing, though there are tables in it")
    }
  }

  // MARK: - Steps

  private func checkSteps() throws(OrionError) {
    guard !manifest.steps.isEmpty else { throw fault("steps", "expected at least one step") }
    var first: [CacheSlot: Manifest.PortRow] = [:]
    for (index, step) in manifest.steps.enumerated() {
      let path = "steps[\(index)]"
      try checkHiddenChain(step.programs, columns: step.columns, path)
      let entries = try checkEntries(step, path)
      if index == 0 { first = entries }
      try compare(entries, with: first, path)
    }
    let earlier = manifest.context - 1
    guard manifest.steps.contains(where: { $0.room(beside: earlier) > 0 }) else {
      let reach = manifest.steps.map(\.cache).max() ?? 0
      throw fault(
        "steps",
        "the largest cache holds \(reach) positions, the context of \(manifest.context) needs"
          + " \(earlier), and one more where new tokens are placed in it")
    }
  }

  /// Walks the programs in order; each takes the embedding or the hidden state before it.
  private func checkHiddenChain(_ programs: [Int], columns: Int, _ path: String)
    throws(OrionError)
  {
    var hidden: Manifest.PortRow?
    for index in programs {
      let program = manifest.programs[index]
      for (number, port) in program.inputs.enumerated() where port.role == .hidden {
        let place = "programs[\(index)].inputs[\(number)]"
        guard let given = hidden else {
          throw fault(place, "no program before this one in \(path) makes a hidden state")
        }
        guard given.shape == port.shape, given.dtype == port.dtype else {
          throw fault(
            place,
            "expected the hidden state of the program before, \(given.text); it is \(port.text)")
        }
      }
      for (number, port) in program.outputs.enumerated() where port.role == .hidden {
        let place = "programs[\(index)].outputs[\(number)]"
        try expect(port, [1, port.shape.count > 1 ? port.shape[1] : 1, 1, columns], place)
        hidden = port
      }
    }
    let made = hidden
    guard let made, let taken = headInput else {
      throw fault(path, "its programs make no hidden state for the head")
    }
    guard made.dtype == taken.dtype, made.shape[1] == taken.shape[1] else {
      throw fault(path, "its hidden state is \(made.text), the head takes \(taken.text)")
    }
  }

  /// The ports of a step beside the hidden state; returns its new entries by slot.
  private func checkEntries(_ step: Manifest.StepRow, _ path: String) throws(OrionError)
    -> [CacheSlot: Manifest.PortRow]
  {
    var entries: [CacheSlot: Manifest.PortRow] = [:]
    var caches: [CacheSlot: (port: Manifest.PortRow, place: String)] = [:]
    for index in step.programs {
      let program = manifest.programs[index]
      for (number, port) in program.inputs.enumerated() {
        let place = "programs[\(index)].inputs[\(number)]"
        try checkInput(port, step, place)
        guard case .cache(let slot, _) = port.role else { continue }
        guard caches.updateValue((port, place), forKey: slot) == nil else {
          throw fault(place, "\(path) reads the \(slot.text) twice")
        }
      }
      for (number, port) in program.outputs.enumerated() {
        let place = "programs[\(index)].outputs[\(number)]"
        if case .logits = port.role { throw fault(place, "logits belong to the head, not a step") }
        guard case .newEntry(let slot, let axis) = port.role else { continue }
        try expect(port, axis: axis, length: step.columns, place)
        guard entries.updateValue(port, forKey: slot) == nil else {
          throw fault(place, "\(path) makes the \(slot.text) twice")
        }
      }
    }
    for (slot, cache) in caches {
      guard let entry = entries[slot] else {
        throw fault(cache.place, "\(path) reads the \(slot.text) and never makes it")
      }
      guard entry.holdsPositions(of: cache.port), entry.dtype == cache.port.dtype else {
        throw fault(cache.place, "its positions do not fit those of \"\(entry.name)\"")
      }
    }
    let reads = step.programs.flatMap { manifest.programs[$0].inputs }
    guard reads.contains(where: { if case .embedding = $0.role { true } else { false } }) else {
      throw fault(path, "no program reads the embedding of the tokens")
    }
    if step.isPlaced, !reads.contains(where: { $0.role == .mask(.slots) }) {
      throw fault(path, "it places new tokens in the cache, and no mask is over its slots")
    }
    if step.cache > 0, let missing = entries.keys.first(where: { caches[$0] == nil }) {
      throw fault(path, "no program reads the cached \(missing.text)")
    }
    return entries
  }

  private func checkInput(_ port: Manifest.PortRow, _ step: Manifest.StepRow, _ place: String)
    throws(OrionError)
  {
    switch port.role {
    case .embedding(let name):
      let width = try table(name, rows: manifest.vocabulary, "the vocabulary", place).width
      try expect(port, [1, width, 1, step.columns], place)
    case .positionTable(let name):
      let width = try table(name, rows: manifest.context, "the context", place).width
      try expect(port, [1, width, 1, step.columns], place)
    case .mask(.new):
      guard !step.isPlaced else { throw fault(place, unplaced) }
      try expect(port, [1, 1, step.columns, step.columns], place)
    case .mask(.cache), .mask(.slots), .placement:
      guard step.cache > 0 else {
        throw fault(place, "a step without a cache has no \(port.name) over it")
      }
      guard step.isPlaced == (port.role != .mask(.cache)) else { throw fault(place, unplaced) }
      try expect(port, [1, 1, step.columns, step.cache], place)
    case .cache(_, let axis):
      guard step.cache > 0 else { throw fault(place, "a step with cache 0 reads no cache") }
      try expect(port, axis: axis, length: step.cache, place)
    case .hidden, .newEntry, .logits, .adapter: break
    }
  }

  private var unplaced: String {
    "a step has masks over \"cache\" and \"new\", or a placement and masks over \"slots\""
  }

  /// Every step must make what the first one makes, position for position.
  private func compare(
    _ entries: [CacheSlot: Manifest.PortRow], with first: [CacheSlot: Manifest.PortRow],
    _ path: String
  ) throws(OrionError) {
    if let missing = first.keys.first(where: { entries[$0] == nil }) {
      throw fault(path, "it does not make the \(missing.text), which steps[0] makes")
    }
    for (slot, entry) in entries {
      guard let other = first[slot] else {
        throw fault(path, "it makes the \(slot.text), which steps[0] does not")
      }
      guard entry.entryShape == other.entryShape, entry.dtype == other.dtype else {
        throw fault(
          path, "its \(slot.text) is \(entry.text), which does not fit \(other.text) of steps[0]")
      }
    }
  }

  private func table(_ name: String, rows: Int, _ what: String, _ place: String)
    throws(OrionError) -> Manifest.TableRow
  {
    guard let table = manifest.tables.first(where: { $0.name == name }) else {
      throw fault("\(place).role.table", "no table is called \"\(name)\"")
    }
    guard table.rows >= rows else {
      throw fault("tables.\(name).rows", "\(what) needs \(rows) rows, the table has \(table.rows)")
    }
    return table
  }

  // MARK: - Head

  private var headInput: Manifest.PortRow? {
    manifest.programs[manifest.head.programs[0]].inputs.first { $0.role == .hidden }
  }

  private func checkHead() throws(OrionError) {
    var tiles: [(first: Int, end: Int, place: String)] = []
    for index in manifest.head.programs {
      let program = manifest.programs[index]
      for (number, port) in program.inputs.enumerated() {
        let place = "programs[\(index)].inputs[\(number)]"
        guard port.role == .hidden, let first = headInput else {
          throw fault(place, "a program of the head takes the hidden state alone")
        }
        let channels = first.shape.count > 1 ? first.shape[1] : 1
        try expect(port, [1, channels, 1, manifest.head.columns], place)
        guard port.dtype == first.dtype else {
          throw fault(place, "expected \(first.dtype.rawValue) as the head's first program takes")
        }
      }
      for (number, port) in program.outputs.enumerated() {
        let place = "programs[\(index)].outputs[\(number)]"
        guard case .logits(let first) = port.role else {
          throw fault(place, "a program of the head makes logits alone")
        }
        let channels = port.shape.count > 1 ? port.shape[1] : 1
        try expect(port, [1, channels, 1, manifest.head.columns], place)
        tiles.append((first, first + channels, place))
      }
    }
    tiles.sort { $0.first < $1.first }
    var covered = 0
    for tile in tiles {
      guard tile.first == covered else {
        throw fault(
          "\(tile.place).role.first",
          "expected \(covered), where the tile before ends; got \(tile.first)")
      }
      covered = tile.end
    }
    guard covered == manifest.vocabulary else {
      throw fault("head", "its logits cover \(covered) of \(manifest.vocabulary) tokens")
    }
  }

  // MARK: - Shapes

  private func expect(_ port: Manifest.PortRow, _ shape: [Int], _ place: String)
    throws(OrionError)
  {
    guard port.shape == shape else {
      throw fault("\(place).shape", "expected \(shape), got \(port.shape)")
    }
  }

  private func expect(_ port: Manifest.PortRow, axis: Int, length: Int, _ place: String)
    throws(OrionError)
  {
    guard axis < port.shape.count else {
      throw fault("\(place).role.axis", "the shape \(port.shape) has no axis \(axis)")
    }
    guard port.shape[axis] == length else {
      throw fault(
        "\(place).shape", "expected \(length) positions along axis \(axis), got \(port.shape)")
    }
  }
}

extension Manifest.PortRow {
  var text: String { "\(dtype.rawValue) \(shape)" }

  /// Shape and axis of one position of a cache or of new entries.
  fileprivate var entryShape: [Int] {
    switch role {
    case .cache(_, let axis), .newEntry(_, let axis):
      var shape = shape
      if axis < shape.count { shape[axis] = -1 }
      return shape
    default: return shape
    }
  }

  /// Whether positions hold the same here and there, in one order; one side may have them as columns, the other
  /// as rows.
  fileprivate func holdsPositions(of other: Self) -> Bool {
    let (own, others) = (entryShape, other.entryShape)
    guard own != others else { return true }
    let oneHasColumns = (own.last == -1) != (others.last == -1)
    return oneHasColumns && own.filter { $0 > 1 } == others.filter { $0 > 1 }
  }
}

extension CacheSlot {
  var text: String { "\(kind.rawValue) of layer \(layer)" }
}

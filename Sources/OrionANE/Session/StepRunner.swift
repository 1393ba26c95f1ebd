import MILEngine

/// One step of the manifest with the tensors of its programs, made once and kept: it writes what their roles
/// ask for and runs them in order. It knows no text; tokens, positions and whose they are is given to it.
final class StepRunner {
  let row: Manifest.StepRow
  /// The last program's hidden state, [1, C, 1, columns].
  let hidden: any TensorStorage
  /// New entries of the tokens, in the order of the cache's rows.
  let entries: [any TensorStorage]
  private var programs: [BoundProgram]
  private let embeddings: [TableWriter]
  private let positions: [TableWriter]
  private let masks: [MaskWriter]
  private let placements: [PlacementWriter]
  private let cachePorts: [CachePort]
  private let adapterPorts: [AdapterPort]
  private let model: ModelParts
  /// Whose matrices the programs read.
  private var adapter: Adapter
  /// What the programs want of the cache's tensors, in the order of its rows.
  private let cacheLayouts: [Layout]
  private var boundGeneration: Int

  init(_ row: Manifest.StepRow, of model: ModelParts, cache: KeyValueCache) throws(OrionError) {
    var builder = StepBuilder(model: model, cache: cache)
    if row.cache > 0 {
      try cache.prepare(length: row.cache, layouts: builder.cacheLayouts(of: row))
    }
    for index in row.programs { try builder.add(index) }
    guard let hidden = builder.hidden else {
      throw OrionError(.internal, "a step of \(row.columns) columns makes no hidden state")
    }
    self.row = row
    self.hidden = hidden
    programs = builder.programs
    embeddings = builder.embeddings
    positions = builder.positions
    masks = builder.masks
    placements = builder.placements
    entries = cache.rows.compactMap { builder.entries[$0.slot] }
    cacheLayouts = row.cache > 0 ? cache.storages.map(\.layout) : []
    cachePorts = builder.cachePorts
    adapterPorts = builder.adapterPorts
    adapter = model.base
    self.model = model
    boundGeneration = cache.generation
  }

  /// Runs the tokens of a batch, for all of which the step must have room.
  func run(
    _ batch: StepBatch, over cache: KeyValueCache, _ cancellation: Cancellation
  ) throws(OrionError) {
    let columns = batch.columns
    try bind(batch.adapter ?? model.base)
    if row.cache > 0 { try bind(cache, room: row.isPlaced ? columns.count : 0) }
    for writer in embeddings { try writer.write(columns.count) { Int(columns[$0].token) } }
    for writer in positions { try writer.write(columns.count) { columns[$0].position } }
    for mask in masks {
      try mask.write(columns.count) { column, ranges in
        let part = batch.parts[columns[column].part]
        look(part, upTo: column, mask.scope, cache, &ranges)
      }
    }
    for placement in placements { try placement.write(columns.count, first: cache.end) }
    for program in programs {
      try cancellation.check()
      try program.evaluate()
    }
  }

  /// What a column may look at: the slots of its own sequence, and this sequence's new tokens up to itself.
  private func look(
    _ part: StepBatch.Part, upTo column: Int, _ scope: MaskScope, _ cache: KeyValueCache,
    _ ranges: inout [Range<Int>]
  ) {
    let first = part.columns.lowerBound
    if scope != .new { ranges.append(contentsOf: cache.slots(of: part.tenant).runs) }
    switch scope {
    case .cache: break
    case .new: ranges.append(first..<column + 1)
    case .slots: SlotRuns.append(cache.end + first..<cache.end + column + 1, to: &ranges)
    }
  }

  private func bind(_ wanted: Adapter) throws(OrionError) {
    guard wanted !== adapter else { return }
    var storages: [any TensorStorage] = []
    for port in adapterPorts {
      storages.append(try wanted.storage(of: port.matrix, port.layout, on: model.backend))
    }
    for (port, storage) in zip(adapterPorts, storages) {
      programs[port.program].inputs[port.input] = storage
    }
    adapter = wanted
  }

  /// Forgets the cache's tensors until the next run, so that they can go when the cache takes others.
  func letGoOfCache() {
    guard row.cache > 0 else { return }
    for port in cachePorts { programs[port.program].inputs[port.input] = hidden }
    boundGeneration = -1
  }

  private func bind(_ cache: KeyValueCache, room: Int) throws(OrionError) {
    try cache.prepare(length: row.cache, room: room, layouts: cacheLayouts)
    guard boundGeneration != cache.generation else { return }
    for port in cachePorts {
      programs[port.program].inputs[port.input] = cache.storages[port.row]
    }
    boundGeneration = cache.generation
  }
}

/// An input of one of a step's programs that reads a row of the cache.
private struct CachePort {
  let program: Int
  let input: Int
  let row: Int
}

/// An input of one of a step's programs that reads a matrix of an adapter.
private struct AdapterPort {
  let program: Int
  let input: Int
  let matrix: AdapterMatrix
  let layout: Layout
}

/// What the parts of a session share.
struct ModelParts {
  let bundle: Bundle
  let backend: any Backend
  let shelf: ProgramShelf
  let tables: [String: TableRows]
  /// Stands for no adapter.
  let base: Adapter

  var isHalf: Bool { backend.profile.arithmetic.storage == .fp16 }
}

/// Makes the tensors of a step, program after program.
private struct StepBuilder {
  let model: ModelParts
  let cache: KeyValueCache
  var programs: [BoundProgram] = []
  var hidden: (any TensorStorage)?
  var embeddings: [TableWriter] = []
  var positions: [TableWriter] = []
  var masks: [MaskWriter] = []
  var placements: [PlacementWriter] = []
  var entries: [CacheSlot: any TensorStorage] = [:]
  var cachePorts: [CachePort] = []
  var adapterPorts: [AdapterPort] = []
  /// Tensors that several programs read, by what they hold.
  private var shared: [Content: any TensorStorage] = [:]

  private struct Content: Hashable {
    let role: Role
    let layout: Layout
  }

  init(model: ModelParts, cache: KeyValueCache) {
    self.model = model
    self.cache = cache
  }

  /// What the programs want of the cache's tensors, in the order of its rows.
  func cacheLayouts(of step: Manifest.StepRow) throws(OrionError) -> [Layout] {
    var layouts: [CacheSlot: Layout] = [:]
    for index in step.programs {
      let row = model.bundle.manifest.programs[index]
      for port in try model.shelf.program(index).inputs {
        guard case .cache(let slot, _)? = row.role(ofInput: port.name) else { continue }
        layouts[slot] = port.layout
      }
    }
    return cache.rows.compactMap { layouts[$0.slot] }
  }

  mutating func add(_ index: Int) throws(OrionError) {
    let row = model.bundle.manifest.programs[index]
    let program = try model.shelf.program(index)
    var inputs: [any TensorStorage] = []
    for (number, port) in program.inputs.enumerated() {
      guard let role = row.role(ofInput: port.name) else { continue }
      if case .cache(let slot, _) = role, let index = cache.index(of: slot) {
        cachePorts.append(CachePort(program: programs.count, input: number, row: index))
        inputs.append(cache.storages[index])
      } else if case .adapter(let matrix) = role {
        adapterPorts.append(
          AdapterPort(
            program: programs.count, input: number, matrix: matrix, layout: port.layout))
        inputs.append(try model.base.storage(of: matrix, port.layout, on: model.backend))
      } else {
        inputs.append(try input(role, port, row))
      }
    }
    var outputs: [any TensorStorage] = []
    for port in program.outputs {
      let storage = try model.backend.makeStorage(port.layout)
      switch row.role(ofOutput: port.name) {
      case .hidden?: hidden = storage
      case .newEntry(let slot, _)?: entries[slot] = storage
      default: break
      }
      outputs.append(storage)
    }
    programs.append(
      BoundProgram(name: row.name, program: program, inputs: inputs, outputs: outputs))
  }

  private mutating func input(_ role: Role, _ port: Port, _ row: Manifest.ProgramRow)
    throws(OrionError) -> any TensorStorage
  {
    if role == .hidden, let hidden {
      guard hidden.layout == port.layout else {
        throw OrionError(
          .device,
          "program \"\(row.name)\", input \"\(port.name)\": the device wants \(port.layout.text)"
            + " here and \(hidden.layout.text) where the program before writes it")
      }
      return hidden
    }
    let content = Content(role: role, layout: port.layout)
    if let storage = shared[content] { return storage }
    let storage = try model.backend.makeStorage(port.layout)
    shared[content] = storage
    switch role {
    case .embedding(let name):
      embeddings.append(TableWriter(try table(name), into: storage, rest: .zeros))
    case .positionTable(let name):
      positions.append(TableWriter(try table(name), into: storage, rest: .rowZero))
    case .mask(let scope):
      masks.append(MaskWriter(scope, into: storage, isHalf: model.isHalf))
    case .placement:
      placements.append(PlacementWriter(into: storage))
    case .cache, .hidden, .newEntry, .logits, .adapter: break
    }
    return storage
  }

  private func table(_ name: String) throws(OrionError) -> TableRows {
    guard let table = model.tables[name] else {
      throw OrionError(.internal, "table \"\(name)\" was not opened")
    }
    return table
  }
}

import MILEngine

/// Runs tokens through the steps of a bundle and keeps their keys and values. It knows no sampling, and of each
/// sequence, its tenant, no history but the slots of the cache.
final class ModelRunner {
  private let manifest: Manifest
  private let model: ModelParts
  let cache: KeyValueCache
  private var steps: [StepRunner?]
  private var head: HeadRunner?
  /// New tokens pass through slots of the cache.
  private let isPlaced: Bool
  /// The step and column where the hidden state of a tenant's last token still is.
  private var last: (step: StepRunner, column: Int, tenant: Int)?
  /// The tokens of a prompt's step.
  private var batch = StepBatch()
  /// The step that decodes, and for how many of its columns `rows` holds logits.
  private var decoding: (step: StepRunner, made: Int)?
  private var rows = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
  private var keepings: [KeyValueCache.Keeping] = []

  /// What a run of a step costs beside its columns: reading the weights, handing over to the device.
  private static let columnsPerRun = 32

  init(_ bundle: Bundle, on backend: any Backend) throws(OrionError) {
    manifest = bundle.manifest
    var tables: [String: TableRows] = [:]
    if !manifest.tables.isEmpty {
      let file = try ModelRunner.openWeights(bundle.path(of: Bundle.weightsName))
      for row in manifest.tables { tables[row.name] = try TableRows(row, in: file) }
    }
    model = ModelParts(
      bundle: bundle, backend: backend, shelf: ProgramShelf(bundle, on: backend), tables: tables,
      base: Adapter.none)
    cache = KeyValueCache(manifest, on: backend)
    steps = Array(repeating: nil, count: manifest.steps.count)
    isPlaced = manifest.steps.contains { $0.isPlaced }
    cache.onRebuild = { [unowned self] in
      for step in steps { step?.letGoOfCache() }
    }
  }

  deinit { rows.deallocate() }

  private static func openWeights(_ path: String) throws(OrionError) -> BlobFile {
    do {
      return try BlobFile(path: path)
    } catch {
      throw OrionError(
        .file, "\(error.text(file: path)); build the bundle again (orion compile)")
    }
  }

  /// Where the last rows of logits go.
  struct LogitsTarget {
    let address: UnsafeMutablePointer<Float>
    let rows: Int
  }

  /// Tokens of a tenant that are to run, the first where its slots end.
  struct Reading {
    let tenant: Int
    let adapter: Adapter?
    /// Of the first token.
    let position: Int
    /// Those that have not run.
    var rest: ArraySlice<Int32>
    fileprivate let count: Int

    init(_ tokens: ArraySlice<Int32>, of tenant: Int, at position: Int, with adapter: Adapter?) {
      self.tenant = tenant
      self.adapter = adapter
      self.position = position
      rest = tokens
      count = tokens.count
    }

    fileprivate var done: Int { count - rest.count }
    fileprivate var isFirst: Bool { position + done == 0 }
    /// Whether one step may read both.
    fileprivate func goes(with other: Reading) -> Bool {
      !rest.isEmpty && adapter === other.adapter && isFirst == other.isFirst
    }
  }

  /// Runs the tokens of all, in each step those of as many as it has room for, and keeps them. `target` receives
  /// logits of the last tokens of the only one, one row each. When it throws, `release` must follow for each.
  func run(
    _ readings: inout [Reading], logits target: LogitsTarget?, _ cancellation: Cancellation
  ) throws(OrionError) {
    last = nil
    while let lead = readings.first(where: { !$0.rest.isEmpty }) {
      let step = try fill(from: &readings, with: lead)
      try step.run(batch, over: cache, cancellation)
      if let target { try write(target, of: readings[0], step, cancellation) }
      try keep(batch, of: step) { batch.parts[$0].columns.count }
      if readings.count == 1 { last = (step, batch.columns.count - 1, lead.tenant) }
    }
  }

  /// Puts tokens of all that go with `lead` into the batch, for the step that is returned.
  private func fill(from readings: inout [Reading], with lead: Reading) throws(OrionError)
    -> StepRunner
  {
    let all = readings.reduce(0) { $0 + ($1.goes(with: lead) ? $1.rest.count : 0) }
    let index = try chooseStep(all, isFirst: lead.isFirst)
    var room = room(of: index)
    batch.clear(for: lead.adapter)
    for place in readings.indices where readings[place].goes(with: lead) {
      let reading = readings[place]
      // What a later step reads whole is not cut.
      guard reading.rest.count <= room || batch.parts.isEmpty else { continue }
      let part = reading.rest.prefix(room)
      batch.begin(reading.tenant, at: reading.position + reading.done)
      for token in part { batch.append(token) }
      readings[place].rest = reading.rest.dropFirst(part.count)
      room -= part.count
    }
    return try runner(index)
  }

  private func write(
    _ target: LogitsTarget, of reading: Reading, _ step: StepRunner, _ cancellation: Cancellation
  ) throws(OrionError) {
    let columns = batch.columns.count
    let row = reading.done - columns - (reading.count - target.rows)
    guard row + columns > 0 else { return }
    try headRunner().run(
      step.hidden, columns: max(-row, 0)..<columns,
      into: target.address + max(row, 0) * manifest.vocabulary, cancellation)
  }

  /// Logits of the token that a tenant ran last; false when its hidden state is gone.
  func lastLogits(
    of tenant: Int, into address: UnsafeMutablePointer<Float>, _ cancellation: Cancellation
  ) throws(OrionError) -> Bool {
    guard let last, last.tenant == tenant else { return false }
    try headRunner().run(
      last.step.hidden, columns: last.column..<last.column + 1, into: address, cancellation)
    return true
  }

  /// Runs the batch in one step. `keep` must follow, or when something throws, `release` for each tenant.
  func decode(_ batch: StepBatch, _ cancellation: Cancellation) throws(OrionError) {
    last = nil
    decoding = nil
    let isFirst = batch.parts.allSatisfy { $0.position == 0 }
    let step = try runner(chooseStep(batch.columns.count, isFirst: isFirst, atOnce: true))
    try step.run(batch, over: cache, cancellation)
    let needed = batch.columns.count * manifest.vocabulary
    if rows.count < needed {
      rows.deallocate()
      rows = .allocate(capacity: needed)
      rows.initialize(repeating: 0)
    }
    decoding = (step, 0)
  }

  /// Logits of a column of the batch that `decode` ran, valid until the next one; columns are asked for in rising
  /// order.
  func logits(of column: Int, in batch: StepBatch, _ cancellation: Cancellation)
    throws(OrionError) -> UnsafeBufferPointer<Float>
  {
    guard let (step, made) = decoding, let address = rows.baseAddress else {
      throw OrionError(.internal, "logits of a step that did not run")
    }
    let width = manifest.vocabulary
    if column >= made {
      // What follows a wrong guess is never asked for.
      let head = try headRunner()
      let end = min(column + head.width(of: step.hidden), batch.columns.count)
      try head.run(
        step.hidden, columns: column..<end, into: address + column * width, cancellation)
      decoding = (step, end)
    }
    return UnsafeBufferPointer(start: address + column * width, count: width)
  }

  /// Keeps so many columns of each part of the batch that `decode` ran.
  func keep(_ counts: [Int], of batch: StepBatch) throws(OrionError) {
    guard let (step, _) = decoding else { return }
    decoding = nil
    try keep(batch, of: step) { counts[$0] }
  }

  /// Frees a tenant's slots but for the first `kept`.
  func release(_ tenant: Int, keeping kept: Int = 0) {
    if last?.tenant == tenant { last = nil }
    cache.release(tenant, keeping: kept)
  }

  /// Slots that a session has for all its sequences.
  var capacity: Int { cache.capacity }

  /// Whether `positions` of a sequence can be taken in beside all that is there, `others` more of which will be.
  func hasRoom(for positions: Range<Int>, beside others: Int = 0) -> Bool {
    slotsNeeded(positions) <= cache.capacity - cache.used - others
  }

  /// Nothing follows the context's last position, so that it is not kept; where new tokens are placed in the
  /// cache it passes through a slot all the same.
  func slotsNeeded(_ positions: Range<Int>) -> Int {
    isPlaced ? positions.count : max(min(positions.upperBound, lastKept) - positions.lowerBound, 0)
  }

  /// How many of `count` sequences decode in one step, and how many columns are to spare when all do.
  func decodeRoom(_ count: Int, isFirst: Bool) throws(OrionError) -> (parts: Int, spare: Int) {
    let plain = try chooseStep(count, isFirst: isFirst)
    let parts = min(room(of: plain), count)
    let length = manifest.steps[plain].cache
    guard length > 0, parts == count else { return (parts, 0) }
    // A guess neither makes the cache grow nor the step much longer.
    var most = count
    for step in manifest.steps
    where step.cache == length && step.columns <= ModelRunner.columnsPerRun {
      most = max(most, step.room(beside: cache.used))
    }
    return (parts, most - count)
  }

  // MARK: - Choices

  private var lastKept: Int { manifest.context - 1 }

  private func room(of index: Int) -> Int {
    let step = manifest.steps[index]
    return step.room(beside: step.cache == 0 ? 0 : cache.used)
  }

  /// The step with which `rest` columns cost least, if it alone ran them: the smallest that holds them all,
  /// unless a few runs of a much smaller one do and `atOnce` does not forbid them. Equal cost: the shorter cache.
  /// `isFirst`: none of the sequences has slots yet, so that a step without a cache will do.
  private func chooseStep(_ rest: Int, isFirst: Bool, atOnce: Bool = false) throws(OrionError)
    -> Int
  {
    var best: (index: Int, cost: Int, cache: Int)?
    for (index, step) in manifest.steps.enumerated() where step.cache > 0 || isFirst {
      let room = room(of: index)
      guard room >= (atOnce ? rest : 1) else { continue }
      let runs = (rest - 1) / room + 1
      let cost = runs * (step.columns + ModelRunner.columnsPerRun)
      if let best, (best.cost, best.cache) <= (cost, step.cache) { continue }
      best = (index, cost, step.cache)
    }
    guard let best else {
      throw OrionError(
        .internal, "no step of the bundle has room for \(rest) columns beside \(cache.used) slots")
    }
    return best.index
  }

  private func keep(_ batch: StepBatch, of step: StepRunner, _ counts: (_ part: Int) -> Int)
    throws(OrionError)
  {
    keepings.removeAll(keepingCapacity: true)
    for (index, part) in batch.parts.enumerated() {
      let count = min(counts(index), lastKept - part.position)
      guard count > 0 else { continue }
      let first = part.columns.lowerBound
      keepings.append(.init(tenant: part.tenant, columns: first..<first + count))
    }
    try cache.keep(keepings, of: step.entries)
  }

  private func runner(_ index: Int) throws(OrionError) -> StepRunner {
    if let step = steps[index] { return step }
    let step = try StepRunner(manifest.steps[index], of: model, cache: cache)
    steps[index] = step
    return step
  }

  private func headRunner() throws(OrionError) -> HeadRunner {
    if let head { return head }
    let head = try HeadRunner(of: model)
    self.head = head
    return head
  }
}

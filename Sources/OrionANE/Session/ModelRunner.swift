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

  /// Runs `tokens` of a tenant, the first at `position`, where its slots end, with `adapter`, and keeps them. `target` receives
  /// logits of the last tokens, one row each. When it throws, `release` must follow.
  func run(
    _ tokens: UnsafeBufferPointer<Int32>, of tenant: Int, at position: Int,
    with adapter: Adapter?, logits target: LogitsTarget?, _ cancellation: Cancellation
  ) throws(OrionError) {
    let firstWanted = tokens.count - (target?.rows ?? 0)
    var done = 0
    last = nil
    while done < tokens.count {
      let start = position + done
      let index = try chooseStep(tokens.count - done, isFirst: start == 0)
      let count = min(room(of: index), tokens.count - done)
      batch.clear(for: adapter)
      batch.begin(tenant, at: start)
      for token in tokens[done..<done + count] { batch.append(token) }
      let step = try runner(index)
      try step.run(batch, over: cache, cancellation)
      let wanted = max(firstWanted - done, 0)
      if let target, wanted < count {
        let row = done + wanted - firstWanted
        try headRunner().run(
          step.hidden, columns: wanted..<count,
          into: target.address + row * manifest.vocabulary, cancellation)
      }
      try keep(batch, of: step) { _ in count }
      done += count
      last = (step, count - 1, tenant)
    }
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

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
  /// Logits of a decode step's columns.
  private var rows: [Float] = []

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
      let part = StepPart(
        tenant: tenant, tokens: Array(tokens[done..<done + count]), position: start,
        adapter: adapter)
      let step = try runner(index)
      try step.run([part], over: cache, cancellation)
      let wanted = max(firstWanted - done, 0)
      if let target, wanted < count {
        let row = done + wanted - firstWanted
        try headRunner().run(
          step.hidden, columns: wanted..<count,
          into: target.address + row * manifest.vocabulary, cancellation)
      }
      try keep([(part, count)], of: step)
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

  /// Logits of a column, made when they are asked for; columns are asked for in rising order.
  typealias Logits = (Int) throws(OrionError) -> UnsafeBufferPointer<Float>

  /// Runs the parts in one step, and lets `verify` look at the logits of their columns and say how many columns of
  /// each part are kept. When it throws, `release` must follow for each tenant.
  func decode(
    _ parts: [StepPart], _ cancellation: Cancellation,
    verify: (Logits) throws(OrionError) -> [Int]
  ) throws(OrionError) {
    last = nil
    let columns = parts.reduce(0) { $0 + $1.tokens.count }
    let isFirst = parts.allSatisfy { $0.position == 0 }
    let step = try runner(chooseStep(columns, isFirst: isFirst, atOnce: true))
    try step.run(parts, over: cache, cancellation)
    let head = try headRunner()
    let width = manifest.vocabulary
    if rows.count < columns * width { rows = [Float](repeating: 0, count: columns * width) }
    let kept = try rows.withUnsafeMutableBufferPointer { rows throws(OrionError) -> [Int] in
      var made = 0
      return try verify { column throws(OrionError) in
        if column >= made, let address = rows.baseAddress {
          // What follows a wrong guess is never asked for.
          made = min(column + head.width(of: step.hidden), columns)
          try head.run(
            step.hidden, columns: column..<made, into: address + column * width, cancellation)
        }
        return UnsafeBufferPointer(rebasing: rows[column * width..<(column + 1) * width])
      }
    }
    try keep(Array(zip(parts, kept)), of: step)
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
    let rooms = manifest.steps.filter {
      $0.cache == length && $0.columns <= ModelRunner.columnsPerRun
    }.map { $0.room(beside: cache.used) }
    return (parts, max((rooms.max() ?? 0) - count, 0))
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

  private func keep(_ kept: [(part: StepPart, count: Int)], of step: StepRunner)
    throws(OrionError)
  {
    var first = 0
    var keepings: [KeyValueCache.Keeping] = []
    for (part, count) in kept {
      let count = min(count, lastKept - part.position)
      if count > 0 {
        keepings.append(.init(tenant: part.tenant, columns: first..<first + count))
      }
      first += part.tokens.count
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

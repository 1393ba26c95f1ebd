import MILEngine

/// Runs tokens through the steps of a bundle and keeps their keys and values. It knows no sampling, and no
/// history but the positions in the cache.
final class ModelRunner {
  private let manifest: Manifest
  private let model: ModelParts
  private let cache: KeyValueCache
  private var steps: [StepRunner?]
  private var head: HeadRunner?
  /// Cache lengths, rising.
  private let buckets: [Int]
  /// The step and column where the last token's hidden state still is.
  private var last: (step: StepRunner, column: Int)?

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
      bundle: bundle, backend: backend, shelf: ProgramShelf(bundle, on: backend), tables: tables)
    cache = KeyValueCache(manifest, on: backend)
    steps = Array(repeating: nil, count: manifest.steps.count)
    buckets = Set(manifest.steps.map(\.cache)).filter { $0 > 0 }.sorted()
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

  /// Runs `tokens`, the first at `position`; the cache holds all positions before. `target` receives logits of
  /// the last tokens, one row each. When it throws, `forget` must follow.
  func run(
    _ tokens: UnsafeBufferPointer<Int32>, at position: Int, logits target: LogitsTarget?,
    _ cancellation: Cancellation
  ) throws(OrionError) {
    let firstWanted = tokens.count - (target?.rows ?? 0)
    var done = 0
    last = nil
    while done < tokens.count {
      let step = try runner(chooseStep(position + done, tokens.count - done))
      let count = min(step.row.room(beside: position + done), tokens.count - done)
      let part = UnsafeBufferPointer(rebasing: tokens[done..<done + count])
      try step.run(part, at: position + done, over: cache, cancellation)
      let wanted = max(firstWanted - done, 0)
      if let target, wanted < count {
        let row = done + wanted - firstWanted
        try headRunner().run(
          step.hidden, columns: wanted..<count,
          into: target.address + row * manifest.vocabulary, cancellation)
      }
      try keep(step.entries, count: count, at: position + done)
      done += count
      last = (step, count - 1)
    }
  }

  /// Logits of the last token that ran; false when its hidden state is gone.
  func lastLogits(into address: UnsafeMutablePointer<Float>, _ cancellation: Cancellation)
    throws(OrionError) -> Bool
  {
    guard let last else { return false }
    try headRunner().run(
      last.step.hidden, columns: last.column..<last.column + 1, into: address, cancellation)
    return true
  }

  /// Empties the positions from `position` on.
  func forget(from position: Int) throws(OrionError) {
    last = nil
    try cache.clear(from: position)
  }

  // MARK: - Choices

  /// The step with which `rest` tokens from `position` on cost least, if it alone ran them: the smallest that
  /// holds them all, unless a few runs of a much smaller one do. Equal cost: the shorter cache.
  private func chooseStep(_ position: Int, _ rest: Int) throws(OrionError) -> Int {
    var best: (index: Int, cost: Int, cache: Int)?
    for (index, step) in manifest.steps.enumerated() {
      let room = step.room(beside: position)
      guard room > 0 else { continue }
      let runs = (rest - 1) / room + 1
      let cost = runs * (step.columns + ModelRunner.columnsPerRun)
      if let best, (best.cost, best.cache) <= (cost, step.cache) { continue }
      best = (index, cost, step.cache)
    }
    guard let best else {
      throw OrionError(.internal, "no step of the bundle reaches position \(position)")
    }
    return best.index
  }

  private func keep(_ entries: [any TensorStorage], count: Int, at position: Int)
    throws(OrionError)
  {
    let end = position + count
    if end > cache.length, let bucket = buckets.first(where: { $0 >= end }) ?? buckets.last {
      try cache.prepare(length: max(bucket, cache.length))
    }
    try cache.append(entries, count: count, at: position)
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

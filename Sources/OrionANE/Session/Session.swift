import Synchronization

/// A model that reads and writes token ids: it opens a bundle on a device, keeps the context and its keys and
/// values, and knows no architecture; what the programs' inputs and outputs are for stands in the manifest.
///
/// The context is a row of tokens, at most `context` long: those that were fed and those that were generated,
/// in the order of the calls. A call that throws leaves the context as it was.
///
/// Calls must not overlap, which is checked; `cancel()` alone may come from another thread at any time.
public final class Session: @unchecked Sendable {
  // Only the call that `cancellation` has let in touches the other fields.
  let cancellation = Cancellation()
  let bundle: Bundle
  private let runner: ModelRunner
  private var sampler = Sampler()
  /// The context; `fed` of these have run, and the others run before anything else does.
  private var tokens: [Int32] = []
  private var fed = 0
  /// Logits of the token `logitsOf` - 1; none when it is 0.
  private let logits: UnsafeMutablePointer<Float>
  private var logitsOf = 0
  private let published = Atomic(0)

  /// Why `generate` stopped.
  public enum Finish: UInt32, Sendable {
    /// As many tokens as were asked for.
    case count = 0
    /// An end token, the last one of the result.
    case endToken = 1
    /// The context holds no more.
    case contextFull = 2
  }

  /// Opens the bundle in the directory `bundle`, which must be compiled for the device's profile. Files are
  /// compared with their SHA-256; programs are compiled and loaded when they are first needed.
  public convenience init(device: Device, bundle: String) throws(OrionError) {
    let opened = try Bundle(
      directory: bundle, profile: device.profile.name
    ) { path throws(OrionError) in
      try device.identity.hex(of: path, as: "file")
    }
    try self.init(opened, on: device.backend)
  }

  init(_ bundle: Bundle, on backend: any Backend) throws(OrionError) {
    self.bundle = bundle
    runner = try ModelRunner(bundle, on: backend)
    logits = .allocate(capacity: bundle.manifest.vocabulary)
    tokens.reserveCapacity(min(bundle.manifest.context, 1 << 20))
  }

  deinit { logits.deallocate() }

  /// How many token ids there are: ids run from 0 up to and without this.
  public var vocabulary: Int { bundle.manifest.vocabulary }
  /// How many tokens the context can hold.
  public var context: Int { bundle.manifest.context }
  /// The token that texts begin with, if the model has one.
  public var beginToken: Int32? { bundle.manifest.beginToken.map(Int32.init) }
  /// Tokens after which nothing follows; may be empty.
  public var endTokens: [Int32] { bundle.manifest.endTokens.map(Int32.init) }
  /// As the model's configuration names it.
  public var modelType: String { bundle.manifest.modelType }
  /// How many tokens the context holds.
  public var count: Int { published.load(ordering: .relaxed) }

  /// Appends tokens to the context.
  ///
  /// - Parameters:
  ///   - tokens: ids below `vocabulary`.
  ///   - logitRows: for how many of these tokens, counted from the last, logits are wanted.
  /// - Returns: [logitRows, vocabulary], row-major.
  /// - Throws: `argument` for ids and counts out of range, `context` when the tokens do not fit, `cancelled`,
  ///   and what the device throws.
  @discardableResult
  public func feed(_ tokens: [Int32], logitRows: Int = 0) throws(OrionError) -> [Float] {
    try checkRows(logitRows, of: tokens.count)
    guard tokens.count <= context else { throw full(tokens.count, after: 0) }
    var rows = [Float](repeating: 0, count: logitRows * vocabulary)
    try tokens.withUnsafeBufferPointer { tokens throws(OrionError) in
      try rows.withUnsafeMutableBufferPointer { rows throws(OrionError) in
        try feed(tokens, logits: rows.baseAddress, rows: logitRows)
      }
    }
    return rows
  }

  /// Draws up to `count` tokens, appends them to the context and returns them. The context must not be empty.
  ///
  /// - Throws: `argument` for a negative count or an empty context, `cancelled`, and what the device throws.
  public func generate(_ count: Int) throws(OrionError) -> (tokens: [Int32], finish: Finish) {
    guard count >= 0 else {
      throw OrionError(.argument, "generate: expected 0 tokens or more, got \(count)")
    }
    // No more come out than the context holds.
    var ids = [Int32](repeating: 0, count: min(count, context))
    let (written, finish) = try ids.withUnsafeMutableBufferPointer { ids throws(OrionError) in
      try generate(into: ids)
    }
    return (Array(ids[..<written]), finish)
  }

  /// Sets how the next tokens are drawn, and starts the random sequence over. At first: greedy.
  public func use(_ sampling: Sampling) throws(OrionError) {
    try cancellation.begin()
    defer { cancellation.end() }
    try sampler.use(sampling)
  }

  /// Empties the context.
  public func reset() throws(OrionError) {
    try cancellation.begin()
    defer { cancellation.end() }
    try truncate(to: 0, fed: 0)
  }

  /// Makes a running `feed` or `generate` throw `cancelled` before its next program runs. From any thread.
  public func cancel() { cancellation.ask() }
}

// MARK: - Without copies, for the C interface

extension Session {
  /// `logits`, when not null, has room for `rows` x `vocabulary` values.
  func feed(
    _ new: UnsafeBufferPointer<Int32>, logits target: UnsafeMutablePointer<Float>?, rows: Int
  ) throws(OrionError) {
    try checkRows(rows, of: new.count)
    if let index = new.firstIndex(where: { $0 < 0 || Int($0) >= vocabulary }) {
      throw OrionError(
        .argument,
        "tokens[\(index)]: expected an id from 0 to \(vocabulary - 1), got \(new[index])")
    }
    try cancellation.begin()
    defer { cancellation.end() }
    let before = (count: tokens.count, fed: fed)
    guard new.count <= context - before.count else {
      throw full(new.count, after: before.count)
    }
    guard !new.isEmpty else { return }
    tokens.append(contentsOf: new)
    do {
      try advance(target.map { ModelRunner.LogitsTarget(address: $0, rows: rows) })
    } catch {
      // What cannot be cleared is masked; the first error says more.
      try? truncate(to: before.count, fed: before.fed)
      throw error
    }
    if let target, rows > 0 {
      logits.update(from: target + (rows - 1) * vocabulary, count: vocabulary)
      logitsOf = fed
    }
    published.store(tokens.count, ordering: .relaxed)
  }

  func generate(into ids: UnsafeMutableBufferPointer<Int32>) throws(OrionError) -> (
    count: Int, finish: Finish
  ) {
    try cancellation.begin()
    defer { cancellation.end() }
    guard !tokens.isEmpty else {
      throw OrionError(.argument, "generate: the context is empty; feed at least one token first")
    }
    let before = (count: tokens.count, fed: fed, place: sampler.place)
    do {
      let result = try draw(into: ids)
      published.store(tokens.count, ordering: .relaxed)
      return result
    } catch {
      sampler.place = before.place
      try? truncate(to: before.count, fed: before.fed)
      throw error
    }
  }

  private func draw(into ids: UnsafeMutableBufferPointer<Int32>) throws(OrionError) -> (
    count: Int, finish: Finish
  ) {
    var count = 0
    while tokens.count < context {
      if count == ids.count { return (count, .count) }
      try makeLogits()
      let id = try sampler.draw(
        UnsafeBufferPointer(start: logits, count: vocabulary), context: tokens)
      tokens.append(id)
      ids[count] = id
      count += 1
      if bundle.manifest.endTokens.contains(Int(id)) { return (count, .endToken) }
    }
    return (count, .contextFull)
  }

  /// Brings `logits` to the last token of the context.
  private func makeLogits() throws(OrionError) {
    if fed == tokens.count {
      if logitsOf == fed { return }
      logitsOf = 0
      if try runner.lastLogits(into: logits, cancellation) {
        logitsOf = fed
        return
      }
      // A failed call has overwritten the last token's state: it runs once more.
      fed -= 1
      try runner.forget(from: fed)
    }
    logitsOf = 0
    try advance(ModelRunner.LogitsTarget(address: logits, rows: 1))
    logitsOf = fed
  }

  /// Runs the tokens of the context that have not run.
  private func advance(_ target: ModelRunner.LogitsTarget?) throws(OrionError) {
    let start = fed
    try tokens.withUnsafeBufferPointer { all throws(OrionError) in
      try runner.run(
        UnsafeBufferPointer(rebasing: all[start...]), at: start, logits: target, cancellation)
    }
    fed = tokens.count
  }

  /// Shortens the context to `count` tokens of which `fed` have run.
  private func truncate(to count: Int, fed: Int) throws(OrionError) {
    tokens.removeLast(tokens.count - count)
    self.fed = min(fed, self.fed)
    if logitsOf > self.fed { logitsOf = 0 }
    published.store(count, ordering: .relaxed)
    try runner.forget(from: self.fed)
  }

  private func full(_ new: Int, after before: Int) -> OrionError {
    OrionError(
      .context,
      "context: \(new) tokens after \(before) do not fit into \(context);"
        + " shorten the text or reset the session")
  }

  private func checkRows(_ rows: Int, of count: Int) throws(OrionError) {
    guard rows >= 0, rows <= count else {
      throw OrionError(
        .argument, "logit_rows: expected 0 to \(count), the number of tokens, got \(rows)")
    }
  }
}

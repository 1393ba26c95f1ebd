import Synchronization

/// A model that reads and writes token ids: it opens a bundle on a device, keeps sequences of tokens with their
/// keys and values, and knows no architecture; what the programs' inputs and outputs are for stands in the
/// manifest.
///
/// Sequences share a pool of slots, one slot for each token that may be looked at; a bundle's longest cache is
/// the pool's size. What a sequence computes does not depend on the others. Calls that name no sequence mean
/// `first`. A call that throws leaves every sequence as it was.
///
/// Calls must not overlap, which is checked; `open()`, `cancel()` and opening and closing adapters alone may come
/// from another thread at any time. ``LanguageModel`` has texts instead of ids and may be used from everywhere.
public final class Session: @unchecked Sendable {
  // Only the call that `cancellation` has let in touches the runner and the sequences.
  let cancellation = Cancellation()
  let bundle: Bundle
  let runner: ModelRunner
  let decoder: Decoder
  let departures = Departures()
  private let opened = Atomic(1)
  let adapterSlots: AdapterSlots
  let openAdapters = Mutex<[String: Adapter]>([:])
  /// The sequence of calls that name none.
  public let first: TokenSequence

  /// Why `generate` stopped.
  public enum Finish: UInt32, Sendable {
    /// As many tokens as were asked for.
    case count = 0
    /// An end token, the last one of the result.
    case endToken = 1
    /// The context, or the session's pool of slots, holds no more.
    case contextFull = 2
  }

  /// Tokens that were drawn, and why no more were.
  public typealias Generated = (tokens: [Int32], finish: Finish)

  /// Opens the bundle in the directory `bundle`, which must be compiled for the device's profile. Files are
  /// compared with their SHA-256; programs are compiled and loaded when they are first needed.
  public convenience init(device: Device, bundle: String) throws(OrionError) {
    let opened = try Bundle(
      directory: bundle, profile: device.profile.name
    ) { path throws(OrionError) in
      try device.caches.identity.hex(of: path, as: "file")
    }
    try self.init(opened, on: device.backend)
  }

  init(_ bundle: Bundle, on backend: any Backend) throws(OrionError) {
    self.bundle = bundle
    adapterSlots = AdapterSlots(bundle.manifest)
    runner = try ModelRunner(bundle, on: backend)
    decoder = Decoder(bundle.manifest, runner, cancellation)
    first = TokenSequence(tenant: 0, departures)
  }

  /// How many token ids there are: ids run from 0 up to and without this.
  public var vocabulary: Int { bundle.manifest.vocabulary }
  /// How many tokens a sequence can hold.
  public var context: Int { bundle.manifest.context }
  /// The token that texts begin with, if the model has one.
  public var beginToken: Int32? { bundle.manifest.beginToken.map(Int32.init) }
  /// Tokens after which nothing follows; may be empty.
  public var endTokens: [Int32] { bundle.manifest.endTokens.map(Int32.init) }
  /// As the model's configuration names it.
  public var modelType: String { bundle.manifest.modelType }
  /// How many tokens the first sequence holds.
  public var count: Int { first.count }

  /// A new, empty sequence.
  public func open() -> TokenSequence {
    TokenSequence(tenant: opened.add(1, ordering: .relaxed).oldValue, departures)
  }

  /// Appends tokens to a sequence.
  ///
  /// - Parameters:
  ///   - tokens: ids below `vocabulary`.
  ///   - sequence: one that this session opened.
  ///   - logitRows: for how many of these tokens, counted from the last, logits are wanted.
  /// - Returns: [logitRows, vocabulary], row-major.
  /// - Throws: `argument` for ids and counts out of range, `context` when the tokens do not fit, `cancelled`,
  ///   and what the device throws.
  @discardableResult
  public func feed(_ tokens: [Int32], to sequence: TokenSequence? = nil, logitRows: Int = 0)
    throws(OrionError) -> [Float]
  {
    try checkRows(logitRows, of: tokens.count)
    guard tokens.count <= context else { throw full(tokens.count, after: 0) }
    var rows = [Float](repeating: 0, count: logitRows * vocabulary)
    try tokens.withUnsafeBufferPointer { tokens throws(OrionError) in
      try rows.withUnsafeMutableBufferPointer { rows throws(OrionError) in
        try feed(
          [Text(sequence: sequence ?? first, tokens: tokens)], logits: rows.baseAddress,
          rows: logitRows)
      }
    }
    return rows
  }

  /// Appends tokens to several sequences, each of which stands in the list once. A step of the device reads
  /// tokens of as many as it has room for, so that short texts cost little more than one of them.
  ///
  /// - Throws: as the other `feed`; then all sequences are as they were.
  public func feed(_ texts: [(tokens: [Int32], sequence: TokenSequence)]) throws(OrionError) {
    let all = texts.flatMap(\.tokens)
    try all.withUnsafeBufferPointer { all throws(OrionError) in
      var start = 0
      try feed(
        texts.map { text in
          defer { start += text.tokens.count }
          return Text(
            sequence: text.sequence,
            tokens: UnsafeBufferPointer(rebasing: all[start..<start + text.tokens.count]))
        })
    }
  }

  /// Draws up to `count` tokens, appends them to the sequence, which must not be empty, and returns them.
  ///
  /// - Throws: `argument` for a negative count or an empty sequence, `cancelled`, and what the device throws.
  public func generate(_ count: Int, in sequence: TokenSequence? = nil) throws(OrionError)
    -> Generated
  {
    try generate(count, in: [sequence ?? first])[0]
  }

  /// The same for several sequences at once: each step of the device decodes all of them. Their tokens are those
  /// that each would get alone.
  public func generate(_ count: Int, in sequences: [TokenSequence]) throws(OrionError)
    -> [Generated]
  {
    guard count >= 0 else {
      throw OrionError(.argument, "generate: expected 0 tokens or more, got \(count)")
    }
    // No more come out than the context holds.
    let capacity = min(count, context)
    var ids = [Int32](repeating: 0, count: capacity * sequences.count)
    let lanes = try ids.withUnsafeMutableBufferPointer { ids throws(OrionError) in
      var lanes = sequences.indices.map {
        let start = $0 * capacity
        return Decoder.Lane(
          sequences[$0], into: UnsafeMutableBufferPointer(rebasing: ids[start..<start + capacity]))
      }
      try generate(&lanes)
      return lanes
    }
    return lanes.enumerated().map { index, lane in
      let start = index * capacity
      return (Array(ids[start..<start + lane.count]), lane.finish ?? .count)
    }
  }

  /// Sets how a sequence's next tokens are drawn, and starts its random numbers over. At first: greedy.
  public func use(_ sampling: Sampling, in sequence: TokenSequence? = nil) throws(OrionError) {
    try change(sequence ?? first) { sequence throws(OrionError) in
      try sequence.sampler.use(sampling)
    }
  }

  /// Sets how far a sequence guesses ahead. At first: not at all.
  public func use(_ speculation: Speculation, in sequence: TokenSequence? = nil)
    throws(OrionError)
  {
    try change(sequence ?? first) { sequence throws(OrionError) in
      try speculation.validate()
      sequence.speculation = speculation
    }
  }

  /// Empties a sequence.
  public func reset(_ sequence: TokenSequence? = nil) throws(OrionError) {
    try truncate(sequence, to: 0)
  }

  /// Keeps the first `count` tokens of a sequence. Its random numbers go on where they are.
  public func truncate(_ sequence: TokenSequence? = nil, to count: Int) throws(OrionError) {
    try change(sequence ?? first) { sequence throws(OrionError) in
      guard (0...sequence.tokens.count).contains(count) else {
        throw OrionError(
          .argument,
          "length: expected 0 to \(sequence.tokens.count), the tokens there; got \(count)")
      }
      sequence.shorten(to: count, fed: count)
      runner.release(sequence.tenant, keeping: sequence.fed)
    }
  }

  /// Makes a running `feed` or `generate` throw `cancelled` before its next program runs. From any thread.
  public func cancel() { cancellation.ask() }
}

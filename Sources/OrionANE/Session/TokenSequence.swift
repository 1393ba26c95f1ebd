import Synchronization

/// A text as a session sees it: the tokens that were fed and generated, at most as many as the model's context
/// holds, and how the next ones are drawn. Sessions open it and do the work; it knows no model.
///
/// When the last reference goes, its part of the session's cache is free.
public final class TokenSequence: @unchecked Sendable {
  // Only the session that opened it touches the fields, in the one call that it lets in.
  var tokens: [Int32] = []
  /// So many of the tokens have run; the others run before anything else does.
  var fed = 0
  var sampler = Sampler()
  var speculation = Speculation.off
  /// What its tokens are read with; `nil`: the model alone. Changes only while the sequence is empty.
  var adapter: Adapter?
  /// Logits of the token `logitsOf` - 1; none when it is 0.
  var logits: [Float] = []
  var logitsOf = 0
  var tally = SequenceCounters()
  /// Its number in the session's cache.
  let tenant: Int
  /// Also says whose it is.
  let departures: Departures
  private let published = Mutex((count: 0, counters: SequenceCounters()))

  init(tenant: Int, _ departures: Departures) {
    self.tenant = tenant
    self.departures = departures
  }

  deinit { departures.add(tenant) }

  /// How many tokens it holds.
  public var count: Int { published.withLock { $0.count } }
  /// What it has decoded since it was opened.
  public var counters: SequenceCounters { published.withLock { $0.counters } }

  /// Lets others see how far it is.
  func publish() { published.withLock { $0 = (tokens.count, tally) } }

  /// Where a call begins, to go back there when it fails.
  struct Mark {
    let count: Int
    let fed: Int
    let place: RandomSequence
    let tally: SequenceCounters
  }
  var mark: Mark { Mark(count: tokens.count, fed: fed, place: sampler.place, tally: tally) }

  func goBack(to mark: Mark) {
    sampler.place = mark.place
    tally = mark.tally
    shorten(to: mark.count, fed: mark.fed)
  }

  /// Keeps the first `count` tokens, of which at most `fed` have run.
  func shorten(to count: Int, fed: Int) {
    tokens.removeLast(tokens.count - count)
    self.fed = min(self.fed, fed)
    if logitsOf > self.fed { logitsOf = 0 }
    publish()
  }
}

/// Sequences that are gone, until the session has time to free their slots.
final class Departures: Sendable {
  private let tenants = Mutex<[Int]>([])
  func add(_ tenant: Int) { tenants.withLock { $0.append(tenant) } }
  func take() -> [Int] {
    tenants.withLock { tenants in
      defer { tenants = [] }
      return tenants
    }
  }
}

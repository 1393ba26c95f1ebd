import COrionANE

/// Calls on sessions, their sequences and adapters.
extension Caller {
  static let sessionRows = [
    Row(weight: 3, cost: 8) { $0.openSession() }, Row(weight: 16, cost: 0) { $0.openSequence() },
    Row(weight: 12, cost: 0) { $0.arrange() }, Row(weight: 16, cost: 2) { $0.feed() },
    Row(weight: 6, cost: 4) { $0.feedBatch() }, Row(weight: 12, cost: 4) { $0.generate() },
    Row(weight: 6, cost: 6) { $0.generateBatch() },
    Row(weight: 10, cost: 0) { $0.choose() }, Row(weight: 6, cost: 0) { $0.adapt() },
  ]

  private mutating func openSession() {
    var session: orion_handle = 0
    let path = path()
    let status = orion_session_open(device(), path, &session)
    judge(status, "session_open")
    own(session, status, orion_session_close)
    judge(orion_session_close(stranger()), "session_close")
  }

  private mutating func openSequence() {
    var sequence: orion_handle = 0
    let session = session()
    let status = orion_sequence_open(session, &sequence)
    judge(status, "sequence_open")
    if status == ORION_OK { sequences.append((session, sequence)) }
  }

  private mutating func arrange() {
    let (session, sequence) = sequence()
    switch draw.below(5) {
    case 0:
      judge(orion_sequence_truncate(session, sequence, Int(draw.byte()) - 1), "sequence_truncate")
    case 1: judge(orion_sequence_reset(session, sequence), "sequence_reset")
    case 2:
      judge(orion_sequence_close(session, sequence), "sequence_close")
      if draw.below(2) == 0 { sequences.removeAll { $0.sequence == sequence } }
    case 3: judge(orion_session_cancel(session), "session_cancel")
    default: text("counters") { orion_sequence_counters(session, sequence, $0) }
    }
  }

  private mutating func token() -> Int32 {
    draw.below(16) == 0 ? Int32(draw.byte()) - 1 : Int32(draw.below(TinyBundle.vocabulary))
  }

  private mutating func feed() {
    let tokens = (0..<6).map { _ in token() }
    let (session, sequence) = sequence()
    var logits = [Float](repeating: 0, count: 6 * TinyBundle.vocabulary)
    let count = draw.below(7)
    let rows = draw.below(4) == 0 ? draw.below(7) : 0
    let status =
      rows == 0
      ? orion_session_feed(session, sequence, tokens, count, nil, 0)
      : orion_session_feed(session, sequence, tokens, count, &logits, rows)
    judge(status, "session_feed")
  }

  private mutating func generate() {
    var tokens = [Int32](repeating: 0, count: 8)
    var count = 0
    var reason: UInt32 = 0
    let (session, sequence) = sequence()
    judge(
      orion_session_generate(session, sequence, draw.below(9), &tokens, &count, &reason),
      "session_generate")
    expect((0...8).contains(count), "\(count) tokens came for 8")
  }

  private mutating func generateBatch() {
    let count = draw.below(4)
    let chosen = (0..<count).map { _ in sequence() }
    let session = chosen.first?.session ?? session()
    var tokens = [Int32](repeating: 0, count: 4 * 4)
    var counts = [Int](repeating: 0, count: 4)
    var reasons = [UInt32](repeating: 0, count: 4)
    judge(
      orion_session_generate_batch(
        session, count, chosen.map(\.sequence), 4, &tokens, &counts, &reasons), "generate_batch")
  }

  private mutating func feedBatch() {
    let count = draw.below(4)
    let chosen = (0..<count).map { _ in sequence() }
    let session = chosen.first?.session ?? session()
    let counts = (0..<4).map { _ in draw.below(4) }
    let tokens = (0..<16).map { _ in Int32(draw.byte()) - 2 }
    judge(
      orion_session_feed_batch(session, count, chosen.map(\.sequence), counts, tokens),
      "feed_batch")
  }

  /// How the next tokens are drawn.
  private mutating func choose() {
    let (session, sequence) = sequence()
    if draw.below(2) == 0 {
      var sampling = orion_sampling()
      sampling.struct_size =
        draw.below(8) == 0 ? UInt32(draw.byte()) : UInt32(MemoryLayout<orion_sampling>.size)
      sampling.temperature = number()
      sampling.top_k = UInt32(draw.byte())
      sampling.top_p = number()
      sampling.min_p = draw.below(2) == 0 ? 0 : number()
      sampling.repetition_penalty = draw.below(2) == 0 ? 1 : number()
      sampling.seed = UInt64(draw.byte())
      judge(orion_sequence_sampling(session, sequence, &sampling), "sequence_sampling")
    } else {
      var speculation = orion_speculation()
      speculation.struct_size =
        draw.below(8) == 0 ? UInt32(draw.byte()) : UInt32(MemoryLayout<orion_speculation>.size)
      speculation.draft_max = UInt32(draw.below(6))
      speculation.ngram_max = UInt32(draw.below(6))
      speculation.ngram_min = UInt32(draw.below(6))
      judge(orion_sequence_speculation(session, sequence, &speculation), "sequence_speculation")
    }
  }

  private mutating func number() -> Float {
    draw.below(4) == 0
      ? Float(bitPattern: UInt32(truncatingIfNeeded: draw.word())) : Float(draw.byte()) / 128
  }

  private mutating func adapt() {
    let (session, sequence) = sequence()
    let name = draw.pick(["a", "", "b"])
    let path = path()
    switch draw.below(3) {
    case 0: judge(orion_adapter_open(session, name, path), "adapter_open")
    case 1: judge(orion_adapter_close(session, name), "adapter_close")
    default:
      judge(
        orion_sequence_adapter(session, sequence, draw.below(2) == 0 ? nil : name),
        "sequence_adapter")
    }
  }
}

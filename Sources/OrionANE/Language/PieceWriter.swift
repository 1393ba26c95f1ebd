/// The tokens of one text as pieces: their text up to a stop string, and what they took. It knows no session.
struct PieceWriter: Sendable {
  static let noTokenizer = OrionError(
    .argument,
    "language model: its bundle has no tokenizer, so it takes and gives no text; give token ids, or"
      + " compile the model with its tokenizer beside it")

  private var stream: TokenStream?
  private var stops: StopStrings
  private let promptCount: Int
  private let maxTokens: Int
  private var count = 0
  private let began = ContinuousClock.now
  private var read = ContinuousClock.now

  init(_ options: GenerationOptions, _ tokenizer: Tokenizer?, prompt: [Int32])
    throws(OrionError)
  {
    stops = try StopStrings(options.stop)
    if tokenizer == nil, !options.stop.isEmpty { throw Self.noTokenizer }
    stream = tokenizer?.makeStream()
    // The text goes on where the prompt ends.
    for token in prompt { _ = stream?.pushBytes(token) }
    promptCount = prompt.count
    maxTokens = options.maxTokens
  }

  /// The prompt has been read.
  mutating func hasRead() { read = .now }

  /// What some tokens add, after which the session stopped for a reason; at a stop string the rest of them is dropped.
  mutating func write(_ new: [Int32], _ reason: Session.Finish) -> Generation.Piece {
    var finish: Generation.Finish? =
      switch reason {
      case .endToken: .end
      case .contextFull: .context
      case .count: count + new.count >= maxTokens ? .length : nil
      }
    var text: [UInt8] = []
    var tokens = new
    // The end token says that the text is over; it is no part of it.
    for (index, token) in (reason == .endToken ? new.dropLast() : new[...]).enumerated() {
      text += stops.push(stream?.pushBytes(token) ?? [])
      guard stops.isOver else { continue }
      tokens = Array(new[...index])
      finish = .stop
      break
    }
    if finish != nil, !stops.isOver {
      text += stops.push(stream?.flushBytes() ?? [])
      if stops.isOver { finish = .stop }
      text += stops.flush()
    }
    count += tokens.count
    return Generation.Piece(
      text: String(decoding: text, as: UTF8.self), tokens: tokens, finish: finish,
      statistics: finish == nil ? nil : statistics)
  }

  private var statistics: Generation.Statistics {
    Generation.Statistics(
      promptTokens: promptCount, tokens: count, promptSeconds: Self.seconds(read - began),
      seconds: Self.seconds(.now - read))
  }

  private static func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }
}

/// A continuation of a text, in pieces as they come. Each iteration draws it anew.
///
/// Iterating throws ``OrionError``: `argument` for options out of range and unknown adapters, `context` for a prompt
/// that the model cannot hold, `cancelled` when the task was cancelled, and what the device throws. Leaving the loop,
/// or cancelling its task, ends the running step and frees what the text held.
public struct Generation: AsyncSequence, Sendable {
  /// What came since the piece before.
  public struct Piece: Sendable, Hashable {
    /// May be empty: an unfinished character waits, and so does what may be the beginning of a stop string.
    public let text: String
    /// The tokens that were drawn; an end token is among them and has no text.
    public let tokens: [Int32]
    /// Why nothing follows; on the last piece.
    public let finish: Finish?
    /// What it took; on the last piece.
    public let statistics: Statistics?
  }

  /// Why a text ended.
  public enum Finish: String, Sendable, Hashable {
    /// As many tokens came as were asked for.
    case length
    /// The model ended it.
    case end
    /// A stop string came.
    case stop
    /// The model's context holds no more.
    case context
  }

  /// What a text took.
  public struct Statistics: Sendable, Hashable {
    /// Tokens of the prompt.
    public let promptTokens: Int
    /// Tokens that were drawn.
    public let tokens: Int
    /// Seconds until the prompt was read.
    public let promptSeconds: Double
    /// Seconds from then to the last token.
    public let seconds: Double

    /// Tokens drawn each second.
    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
    /// Tokens of the prompt read each second.
    public var promptTokensPerSecond: Double {
      promptSeconds > 0 ? Double(promptTokens) / promptSeconds : 0
    }
  }

  /// A whole continuation.
  public struct Response: Sendable, Hashable {
    /// The texts of all pieces.
    public let text: String
    /// The tokens of all pieces.
    public let tokens: [Int32]
    /// Why it ended.
    public let finish: Finish
    /// What it took.
    public let statistics: Statistics
  }

  let conductor: Conductor
  let prompt: Conductor.Prompt
  let options: GenerationOptions

  /// Begins to draw the text.
  public func makeAsyncIterator() -> Iterator {
    let job = Conductor.Job(prompt, options)
    let conductor = conductor
    job.channel.onCancel { conductor.wake(job) }
    Task { await conductor.take(job) }
    return Iterator(job.channel)
  }

  /// All pieces together.
  public func response() async throws(OrionError) -> Response {
    var iterator = makeAsyncIterator()
    var (text, tokens) = ("", [Int32]())
    while let piece = try await iterator.next(isolation: nil) {
      text += piece.text
      tokens += piece.tokens
      guard let finish = piece.finish, let statistics = piece.statistics else { continue }
      return Response(text: text, tokens: tokens, finish: finish, statistics: statistics)
    }
    throw OrionError(.internal, "generation: it ended without a reason")
  }

  /// The text of all pieces together.
  public func text() async throws(OrionError) -> String { try await response().text }

  /// Gives the pieces one after the other; letting go of it ends the text.
  public struct Iterator: AsyncIteratorProtocol {
    /// Ends the text when the last copy goes.
    private final class Lease: Sendable {
      let channel: PieceChannel
      init(_ channel: PieceChannel) { self.channel = channel }
      deinit { channel.cancel() }
    }

    private let lease: Lease

    init(_ channel: PieceChannel) { lease = Lease(channel) }

    /// The next piece, `nil` after the last.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(OrionError)
      -> Piece?
    {
      let channel = lease.channel
      return try await withTaskCancellationHandler {
        await channel.next(isolation: actor)
      } onCancel: {
        channel.cancel()
      }.get()
    }
  }
}

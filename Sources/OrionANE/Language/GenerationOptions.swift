/// How a text is continued.
///
/// ```swift
/// let options = GenerationOptions(maxTokens: 200, temperature: 0.8, topP: 0.95, stop: ["\n\n"])
/// ```
public struct GenerationOptions: Sendable, Hashable {
  /// The most tokens that are drawn; 0 or more.
  public var maxTokens: Int
  /// Divides the logits; 0 takes the likeliest token each time.
  public var temperature: Double
  /// Keeps the k likeliest tokens; 0 keeps all.
  public var topK: Int
  /// Keeps the likeliest tokens that together reach this probability; 1 keeps all.
  public var topP: Double
  /// Keeps tokens at least this many times as probable as the likeliest; 0 keeps all.
  public var minP: Double
  /// Makes tokens of the text so far less likely when it is above 1; 1 changes none.
  public var repetitionPenalty: Double
  /// The same seed gives the same text; `nil` draws one each time.
  public var seed: UInt64?
  /// The text ends before the first of these; no part of it is given.
  public var stop: [String]
  /// The open adapter that the text is read with; `nil`: the model alone.
  public var adapter: String?

  /// Options; those that are not named are greedy and without bounds but for 256 tokens.
  public init(
    maxTokens: Int = 256, temperature: Double = 0, topK: Int = 0, topP: Double = 1,
    minP: Double = 0, repetitionPenalty: Double = 1, seed: UInt64? = nil, stop: [String] = [],
    adapter: String? = nil
  ) {
    self.maxTokens = maxTokens
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
    self.stop = stop
    self.adapter = adapter
  }

  var sampling: Sampling {
    Sampling(
      temperature: temperature, topK: topK, topP: topP, minP: minP,
      repetitionPenalty: repetitionPenalty, seed: seed ?? .random(in: .min ... .max))
  }

  /// Throws what is out of range: the field, its range, what came.
  func validate() throws(OrionError) {
    guard maxTokens >= 0 else {
      throw OrionError(.argument, "max_tokens: expected 0 or more; got \(maxTokens).")
    }
    try sampling.validate()
  }
}

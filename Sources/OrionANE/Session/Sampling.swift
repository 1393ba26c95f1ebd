/// How tokens are drawn, in the user's words; it knows no logits.

/// Rules by which the next token is drawn from the logits.
///
/// They work in this order: repetition penalty, temperature, top-k, top-p, min-p.
public struct Sampling: Sendable, Hashable {
  /// Divides the logits; 0 means greedy: the lowest id among those with the largest logit.
  public var temperature: Double
  /// Keeps the k likeliest tokens; 0 keeps all.
  public var topK: Int
  /// Keeps the likeliest tokens that together reach this probability; 1 keeps all.
  public var topP: Double
  /// Keeps tokens at least this many times as probable as the likeliest; 0 keeps all.
  public var minP: Double
  /// For tokens of the context: positive logits are divided by it, the others multiplied; 1 changes none.
  public var repetitionPenalty: Double
  /// The same seed and logits give the same tokens on every platform.
  public var seed: UInt64

  /// Rules; those that are not named change nothing.
  public init(
    temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
  }

  /// Always the likeliest token.
  public static let greedy = Sampling()

  /// Throws what is out of range: the field, its range, what came.
  func validate() throws(OrionError) {
    let rows: [(name: String, isValid: Bool, expected: String, value: String)] = [
      ("temperature", temperature.isFinite && temperature >= 0, "0 or more", "\(temperature)"),
      ("top_k", topK >= 0, "0 (all) or more", "\(topK)"),
      ("top_p", topP > 0 && topP <= 1, "above 0, up to 1 (all)", "\(topP)"),
      ("min_p", minP >= 0 && minP <= 1, "from 0 (all) to 1", "\(minP)"),
      (
        "repetition_penalty", repetitionPenalty.isFinite && repetitionPenalty > 0,
        "above 0; 1 changes nothing", "\(repetitionPenalty)"
      ),
    ]
    for row in rows where !row.isValid {
      throw OrionError(.argument, "\(row.name): expected \(row.expected); got \(row.value).")
    }
  }
}

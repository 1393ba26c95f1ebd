// A line of a run's metrics.

import PythonKit

/// What a training run says after a step.
public struct TrainingStep: Sendable {
  /// From 1.
  public let step: Int
  /// Mean nats a target.
  public let loss: Double
  /// The same over the validation data, at the steps that validate.
  public let validationLoss: Double?
  public let learningRate: Double
  public let tokensPerSecond: Double

  init(_ line: PythonObject) {
    step = Int(line["step"]) ?? 0
    loss = Double(line["loss"]) ?? .nan
    validationLoss = Double(line.get("val_loss"))
    learningRate = Double(line["learning_rate"]) ?? .nan
    tokensPerSecond = Double(line["tokens_per_s"]) ?? .nan
  }
}

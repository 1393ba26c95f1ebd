// Swift from end to end: Python trains a small model and compiles it, OrionANE runs the bundle. One process.

import OrionANE
import OrionPython

let config = """
  {"model_type": "llama", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2,
   "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 384,
   "max_position_embeddings": 128, "tie_word_embeddings": true,
   "bos_token_id": 1, "eos_token_id": 2}
  """

@main
struct TrainCompileRun {
  static func main() {
    do {
      guard CommandLine.arguments.count == 3 else {
        throw OrionPython.Failure(description: "usage: TrainCompileRun DEVICE NEW-DIRECTORY")
      }
      try run(on: CommandLine.arguments[1], in: CommandLine.arguments[2])
    } catch {
      fail("\(error)")
    }
  }

  static func run(on device: String, in place: String) throws {
    let python = try OrionPython()
    print("orion \(python.version), from Swift")

    try python.makeStories(in: "\(place)/data", count: 400, vocabulary: 384)
    try write(config, to: "\(place)/config.json")
    let model = try python.train(
      config: "\(place)/config.json", data: "\(place)/data", output: "\(place)/run",
      device: device,
      settings: [
        "iters": 120, "batch_size": 8, "max_seq_length": 64, "learning_rate": 6e-3,
        "steps_per_eval": 60,
      ]
    ) { step in
      if step.step % 20 == 0 {
        let heldOut = step.validationLoss.map { ", held out \(rounded($0))" } ?? ""
        print("step \(step.step): loss \(rounded(step.loss))\(heldOut)")
      }
      return true
    }

    let bundle = "\(place)/bundle"
    try python.compile(model: model, to: bundle, for: device)
    let tokenizer = try python.tokenizer(of: bundle)
    let opened = try Device(device)
    let session = try Session(device: opened, bundle: bundle)
    let prompt = "Once there was a"
    try session.feed(tokenizer.encode(prompt))
    let tokens = try session.generate(24).tokens
    print("\(opened.name): \(prompt)\(try tokenizer.decode(tokens))")

    // The same by Python's own copy of the runtime, which lives in this process too.
    let again = try python.generate(24, after: prompt, model: model, device: device)
    guard again == tokens else {
      throw OrionPython.Failure(description: "Python's runtime gives \(again), Swift's \(tokens)")
    }
    print("Python's runtime gives the same \(again.count) tokens.")
  }
}

import Observation
import OrionANE

/// A conversation with a model, as a window or a terminal shows it: what was said, what runs where, how fast.
@MainActor @Observable
public final class ChatModel {
  /// A turn of the conversation.
  public struct Message: Identifiable, Sendable {
    public let id: Int
    public let isAnswer: Bool
    public var text: String
  }

  public private(set) var messages: [Message] = []
  /// The device that the model runs on, with the reason; empty without a model.
  public private(set) var device = ""
  /// Of the last answer.
  public private(set) var tokensPerSecond = 0.0
  /// The names of the adapters that are open.
  public private(set) var adapters: [String] = []
  /// What goes wrong, in words; `nil` when nothing did.
  public private(set) var fault: String?
  public private(set) var isAnswering = false
  /// How answers are drawn. Changing the adapter concerns the answers that follow.
  public var options = GenerationOptions()
  public var format = TurnFormat.plain

  private var model: LanguageModel?

  public init() {}

  /// Opens a bundle, and forgets what was said.
  public func open(bundle: String, device name: String = "auto") async {
    reset()
    do {
      // Reading the files takes a moment, which the window should not wait for.
      let model = try await Task.detached { try LanguageModel(bundle: bundle, device: name) }.value
      self.model = model
      device = "\(model.device.name) (\(model.device.reason))"
      adapters = model.adapters
      fault = nil
    } catch {
      fault = "\(error)"
    }
  }

  /// Reads an adapter of the model and keeps it by name.
  public func openAdapter(_ name: String, from directory: String) {
    do {
      try model?.openAdapter(name, from: directory)
      adapters = model?.adapters ?? []
    } catch {
      fault = error.message
    }
  }

  /// Answers with an open adapter from now on, or with the model alone.
  public func use(adapter name: String?) {
    guard let name, !adapters.contains(name) else {
      options.adapter = name
      return
    }
    fault = "adapter \"\(name)\": not open; open are \(adapters.joined(separator: ", "))"
  }

  /// Forgets what was said.
  public func reset() {
    messages = []
    fault = nil
  }

  /// Says something, and gives the answer's pieces as they come. Cancelling the task ends the answer.
  public func send(_ text: String, onPiece: (String) -> Void = { _ in }) async {
    guard let model, !isAnswering else { return }
    isAnswering = true
    defer { isAnswering = false }
    fault = nil
    add(text, isAnswer: false)
    let prompt = format.prompt(messages)
    add("", isAnswer: true)
    do {
      for try await piece in model.generate(prompt, options: options) {
        messages[messages.count - 1].text += piece.text
        onPiece(piece.text)
        if let statistics = piece.statistics { tokensPerSecond = statistics.tokensPerSecond }
      }
    } catch {
      if error.kind != .cancelled { fault = error.message }
    }
  }

  private func add(_ text: String, isAnswer: Bool) {
    messages.append(Message(id: messages.count, isAnswer: isAnswer, text: text))
  }
}

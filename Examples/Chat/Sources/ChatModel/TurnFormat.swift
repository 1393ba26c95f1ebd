/// How turns become one text. A bundle's own template is a program in Jinja, which Swift does not run; these rows are
/// forms that many models were trained with.
public struct TurnFormat: Sendable, Hashable {
  public let name: String
  /// Put around what the user says.
  public let question: (start: String, end: String)
  /// Put around what the model says.
  public let answer: (start: String, end: String)

  /// One running text, which the model continues.
  public static let plain = TurnFormat(name: "plain", question: ("", ""), answer: ("", ""))
  public static let chatML = TurnFormat(
    name: "chatml", question: ("<|im_start|>user\n", "<|im_end|>\n"),
    answer: ("<|im_start|>assistant\n", "<|im_end|>\n"))
  public static let llama3 = TurnFormat(
    name: "llama3",
    question: ("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
    answer: ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"))

  public static let all = [plain, chatML, llama3]

  public static func == (one: TurnFormat, other: TurnFormat) -> Bool { one.name == other.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }

  /// The text of a conversation up to where the next answer begins.
  func prompt(_ messages: [ChatModel.Message]) -> String {
    let turns = messages.map { message in
      let marks = message.isAnswer ? answer : question
      return marks.start + message.text + marks.end
    }
    return turns.joined() + answer.start
  }
}

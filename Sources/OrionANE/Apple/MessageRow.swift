/// One message of the path: who receives it, its selector, and the type encoding it is known to have.
struct MessageRow: Sendable, Hashable {
  enum Receiver: String, Sendable {
    case type = "+"
    case instance = "-"
  }
  let className: String
  let receiver: Receiver
  let selector: String
  /// Without offsets and qualifiers.
  let encoding: String

  init(_ receiver: Receiver, _ className: String, _ selector: String, _ encoding: String) {
    self.receiver = receiver
    self.className = className
    self.selector = selector
    self.encoding = encoding
  }

  /// `-[_ANEClient compileModel:options:qos:error:]`
  var name: String { "\(receiver.rawValue)[\(className) \(selector)]" }
}

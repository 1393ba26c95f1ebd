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

/// The messages of the client route.
enum ClientMessages {
  private static let client = "_ANEClient"
  private static let taking = "B@:@@I^@"

  static let connection = MessageRow(.type, client, "sharedConnection", "@@:")
  static let exists = MessageRow(.instance, client, "compiledModelExistsFor:", "B@:@")
  static let purge = MessageRow(.instance, client, "purgeCompiledModel:", "v@:@")
  static let compile = MessageRow(.instance, client, "compileModel:options:qos:error:", taking)
  static let load = MessageRow(.instance, client, "loadModel:options:qos:error:", taking)
  static let unload = MessageRow(.instance, client, "unloadModel:options:qos:error:", taking)
  static let evaluate = MessageRow(
    .instance, client, "evaluateWithModel:options:request:qos:error:", "B@:@@@I^@")
  static let model = MessageRow(.type, "_ANEModel", "modelAtURL:key:", "@@:@@")
  static let attributes = MessageRow(.instance, "_ANEModel", "modelAttributes", "@@:")
  static let surface = MessageRow(
    .type, "_ANEIOSurfaceObject", "objectWithIOSurface:", "@@:^{__IOSurface=}")
  static let request = MessageRow(
    .type, "_ANERequest",
    "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:",
    "@@:@@@@@@@")

  static let all = [
    connection, exists, purge, compile, load, unload, evaluate, model, attributes, surface, request,
  ]
}

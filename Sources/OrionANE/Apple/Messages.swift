/// The messages of the routes, with the types they are known to have.

/// What every route sends.
enum SharedMessages {
  static let surface = MessageRow(
    .type, "_ANEIOSurfaceObject", "objectWithIOSurface:", "@@:^{__IOSurface=}")
  static let request = MessageRow(
    .type, "_ANERequest",
    "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:",
    "@@:@@@@@@@")
}

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

  static let all = [
    connection, exists, purge, compile, load, unload, evaluate, model, attributes,
    SharedMessages.surface, SharedMessages.request,
  ]
}

enum MemoryMessages {
  private static let type = "_ANEInMemoryModel"

  static let descriptor = MessageRow(
    .type, "_ANEInMemoryModelDescriptor", "modelWithMILText:weights:optionsPlist:", "@@:@@@")
  static let model = MessageRow(.type, type, "inMemoryModelWithDescriptor:", "@@:@")
  static let setURL = MessageRow(.instance, type, "setModelURL:", "v@:@")
  static let exists = MessageRow(.instance, type, "compiledModelExists", "B@:")
  static let purge = MessageRow(.instance, type, "purgeCompiledModel", "v@:")
  static let compile = MessageRow(.instance, type, "compileWithQoS:options:error:", "B@:I@^@")
  static let load = MessageRow(.instance, type, "loadWithQoS:options:error:", "B@:I@^@")
  static let unload = MessageRow(.instance, type, "unloadWithQoS:error:", "B@:I^@")
  static let evaluate = MessageRow(
    .instance, type, "evaluateWithQoS:options:request:error:", "B@:I@@^@")
  static let attributes = MessageRow(.instance, type, "modelAttributes", "@@:")
  static let localPath = MessageRow(.instance, type, "localModelPath", "@@:")

  static let all = [
    descriptor, model, localPath, setURL, exists, purge, compile, load, unload, evaluate,
    attributes,
    SharedMessages.surface, SharedMessages.request,
  ]
}

/// What is known of the framework beyond the messages of the routes: messages that were seen on one system or
/// another, with their types. None is needed.
enum KnownMessages {
  private static let client = "_ANEClient"
  private static let request =
    "requestWithInputs:inputIndices:outputs:outputIndices:weightsBuffer:perfStats:procedureIndex:"

  static let sharedEvents = "_ANESharedEvents"
  static let performanceStats = "_ANEPerformanceStats"
  static let deviceFlags = ["hasANE", "isVirtualMachine"]
  static let deviceNumbers = ["numANEs", "numANECores"]
  static let deviceTexts = ["aneArchitectureType", "productName", "buildVersion"]

  static func device(_ message: String, _ encoding: String) -> MessageRow {
    MessageRow(.type, "_ANEDeviceInfo", message, encoding)
  }

  static let others: [MessageRow] =
    [
      MessageRow(.instance, client, "compiledModelExistsMatchingHash:", "B@:@"),
      MessageRow(.instance, client, "purgeCompiledModelMatchingHash:", "v@:@"),
      MessageRow(
        .instance, client, "doEvaluateDirectWithModel:options:request:qos:error:", "B@:@@@I^@"),
      MessageRow(
        .instance, client, "evaluateRealTimeWithModel:options:request:error:", "B@:@@@^@"),
      MessageRow(.instance, client, "beginRealTimeTask", "B@:"),
      MessageRow(.instance, client, "isVirtualClient", "B@:"),
      MessageRow(
        .instance, client, "mapIOSurfacesWithModel:request:cacheInference:error:", "B@:@@B^@"),
      MessageRow(
        .instance, client, "prepareChainingWithModel:options:chainingReq:qos:error:", "B@:@@@I^@"),
      MessageRow(.instance, "_ANEModel", "inputSymbolIndicesForProcedureIndex:", "@@:I"),
      MessageRow(.instance, "_ANEModel", "outputSymbolIndicesForProcedureIndex:", "@@:I"),
      MessageRow(.instance, "_ANEModel", "queueDepth", "c@:"),
      MessageRow(.instance, "_ANEModel", "programHandle", "Q@:"),
      // Since macOS 26.
      MessageRow(.type, "_ANERequest", request + "sharedEvents:", "@@:@@@@@@@@"),
      MessageRow(
        .type, "_ANERequest", request + "sharedEvents:transactionHandle:", "@@:@@@@@@@@@"),
      MessageRow(.instance, "_ANERequest", "setCompletionHandler:", "v@:@?"),
      MessageRow(.instance, "_ANERequest", "validate", "B@:"),
      MessageRow(.instance, "_ANEInMemoryModelDescriptor", "hexStringIdentifier", "@@:"),
      MessageRow(.instance, "_ANEInMemoryModel", "saveModelFiles", "@@:"),
      MessageRow(
        .instance, "_ANEInMemoryModel", "mapIOSurfacesWithRequest:cacheInference:error:",
        "B@:@B^@"),
      MessageRow(.type, "_ANEQoSMapper", "aneDefaultTaskQoS", "I@:"),
      MessageRow(.type, "_ANEQoSMapper", "queueIndexForQoS:", "Q@:I"),
      MessageRow(.type, performanceStats, "statsWithHardwareExecutionNS:", "@@:Q"),
      MessageRow(
        .type, sharedEvents, "sharedEventsWithSignalEvents:waitEvents:", "@@:@@"),
      MessageRow(
        .type, "_ANEChainingRequest",
        "chainingRequestWithInputs:outputSets:lbInputSymbolId:lbOutputSymbolId:procedureIndex:"
          + "signalEvents:transactionHandle:fwEnqueueDelay:memoryPoolId:", "@@:@@@@@@@@@"),
    ]
    + deviceFlags.map { device($0, "B@:") } + deviceNumbers.map { device($0, "I@:") }
    + deviceTexts.map { device($0, "@@:") }
}

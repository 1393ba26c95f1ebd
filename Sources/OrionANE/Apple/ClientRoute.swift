/// The framework's client, with model directories and keys.
final class ClientRoute: FrameworkRoute {
  let name = RouteName.client.rawValue
  let foreign: Foreign
  let messenger: Messenger
  private let client: ForeignObject
  private let modelOptions: ForeignObject
  private let noOptions: ForeignObject

  init(_ library: ForeignLibrary, log: CallLog) throws(OrionError) {
    let foreign = try Foreign(library, log: log)
    self.foreign = foreign
    (messenger, client, modelOptions, noOptions) = try foreign.enter { () throws(OrionError) in
      let messenger = try Messenger(foreign, rows: ClientMessages.all)
      let client = try messenger.object(ClientMessages.connection)
      let constants = foreign.table.constants
      let file = try foreign.makeString(FrameworkCall.modelFile)
      // Without the model's type the daemon looks for another kind of model.
      let modelOptions = try foreign.makeDictionary([
        (constants.modelType, constants.modelTypeMIL), (constants.modelFileName, file.reference),
      ])
      return (messenger, client, modelOptions, try foreign.makeDictionary([]))
    }
  }

  func model(_ place: ModelPlace) throws(OrionError) -> ForeignObject {
    let url = try foreign.makeURL(directory: place.directory)
    let name = try foreign.makeString(place.key)
    return try messenger.object(
      ClientMessages.model, url.reference, name.reference,
      note: "\(place.directory) key \(place.key)")
  }

  func exists(_ model: ForeignObject) throws(OrionError) -> Bool {
    let found = try messenger.send(
      ClientMessages.exists, to: client.reference,
      as: (@convention(c) (Reference, Reference, Reference) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.record(ClientMessages.exists.name, show: Shown.bool) {
        call(receiver, selector, model.reference)
      }
    }
    return found != 0
  }

  func purge(_ model: ForeignObject) throws(OrionError) {
    try messenger.send(
      ClientMessages.purge, to: client.reference,
      as: (@convention(c) (Reference, Reference, Reference) -> Void).self
    ) { call, receiver, selector in
      foreign.log.record(ClientMessages.purge.name, show: Shown.nothing) {
        call(receiver, selector, model.reference)
      }
    }
  }

  func compile(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.compile, model, modelOptions, program)
  }

  func load(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.load, model, modelOptions, program)
  }

  func unload(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.unload, model, noOptions, program)
  }

  func attributes(_ model: ForeignObject, function: String) throws(OrionError) -> ModelAttributes {
    let attributes = try messenger.object(ClientMessages.attributes, to: model.reference)
    return try ModelAttributes(attributes.reference, function: function, foreign)
  }

  func evaluate(
    _ model: ForeignObject, _ binding: ProgramBinding, inputs: [ForeignObject],
    outputs: [ForeignObject]
  ) throws(OrionError) -> Refusal? {
    let request = try request(binding, inputs: inputs, outputs: outputs)
    var fault: Reference?
    let result = try messenger.send(
      ClientMessages.evaluate, to: client.reference,
      as: (@convention(c) (
        Reference, Reference, Reference, Reference, Reference, UInt32, Messenger.ErrorSlot
      ) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(ClientMessages.evaluate.name) \(binding.function) qos \(FrameworkCall.priority)",
        failure: 0, show: Shown.bool
      ) {
        call(
          receiver, selector, model.reference, noOptions.reference, request.reference,
          FrameworkCall.priority, &fault)
      }
    }
    return refusal(ClientMessages.evaluate, binding.function, result, fault)
  }

  /// Sends one of the messages that take a model, options and a priority, and answer yes or an error.
  private func tell(
    _ row: MessageRow, _ model: ForeignObject, _ options: ForeignObject, _ program: String
  ) throws(OrionError) -> Refusal? {
    var fault: Reference?
    let result = try messenger.send(
      row, to: client.reference,
      as: (@convention(c) (
        Reference, Reference, Reference, Reference, UInt32, Messenger.ErrorSlot
      ) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call("\(row.name) qos \(FrameworkCall.priority)", failure: 0, show: Shown.bool) {
        call(
          receiver, selector, model.reference, options.reference, FrameworkCall.priority, &fault)
      }
    }
    return refusal(row, program, result, fault)
  }
}

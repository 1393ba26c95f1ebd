/// The framework's client: one method a message, in the order in which a program's life uses them. It
/// knows no program and keeps no count.
final class ClientRoute: Sendable {
  typealias Reference = FunctionTable.Reference

  /// The framework's default priority.
  private static let priority: UInt32 = 21
  private static let modelFile = "model.mil"

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
      let file = try foreign.makeString(Self.modelFile)
      // Without the model's type the daemon looks for another kind of model.
      let modelOptions = try foreign.makeDictionary([
        (constants.modelType, constants.modelTypeMIL), (constants.modelFileName, file.reference),
      ])
      return (messenger, client, modelOptions, try foreign.makeDictionary([]))
    }
  }

  /// A model object for a directory; `key` stands for the directory's content.
  func model(directory: String, key: String) throws(OrionError) -> ForeignObject {
    let url = try foreign.makeURL(directory: directory)
    let name = try foreign.makeString(key)
    return try messenger.object(
      ClientMessages.model, url.reference, name.reference, note: "\(directory) key \(key)")
  }

  /// Whether the daemon has compiled this model before.
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

  // Each of these three gives `nil` when it was done.

  func compile(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.compile, model, modelOptions, program)
  }

  func load(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.load, model, modelOptions, program)
  }

  func unload(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(ClientMessages.unload, model, noOptions, program)
  }

  /// What a loaded model says of the procedure called `function`.
  func attributes(_ model: ForeignObject, function: String) throws(OrionError) -> ModelAttributes {
    let attributes = try messenger.object(ClientMessages.attributes, to: model.reference)
    return try ModelAttributes(attributes.reference, function: function, foreign)
  }

  /// Runs a procedure over what stands for its surfaces, in declared order.
  func evaluate(
    _ model: ForeignObject, _ binding: ProgramBinding, inputs: [ForeignObject],
    outputs: [ForeignObject]
  ) throws(OrionError) {
    let request = try request(binding, inputs: inputs, outputs: outputs)
    var fault: Reference?
    let result = try messenger.send(
      ClientMessages.evaluate, to: client.reference,
      as: (@convention(c) (
        Reference, Reference, Reference, Reference, Reference, UInt32, Messenger.ErrorSlot
      ) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(ClientMessages.evaluate.name) \(binding.function) qos \(Self.priority)", failure: 0,
        show: Shown.bool
      ) {
        call(
          receiver, selector, model.reference, noOptions.reference, request.reference,
          Self.priority, &fault)
      }
    }
    guard result != 0 else {
      throw refusal(ClientMessages.evaluate, binding.function, fault).error
    }
  }

  private func request(
    _ binding: ProgramBinding, inputs: [ForeignObject], outputs: [ForeignObject]
  ) throws(OrionError) -> ForeignObject {
    let inputArray = try foreign.makeArray(binding.inputOrder.map { inputs[$0].reference })
    let outputArray = try foreign.makeArray(binding.outputOrder.map { outputs[$0].reference })
    let made = try messenger.send(
      ClientMessages.request,
      as: (@convention(c) (
        Reference, Reference, Reference, Reference, Reference, Reference, Reference?, Reference?,
        Reference
      ) -> Reference?).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(ClientMessages.request.name) \(binding.note)", failure: nil, show: Shown.reference
      ) {
        call(
          receiver, selector, inputArray.reference, binding.inputSymbols.reference,
          outputArray.reference, binding.outputSymbols.reference, nil, nil,
          binding.procedure.reference)
      }
    }
    return try foreign.retained(made, by: ClientMessages.request.name)
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
      foreign.log.call("\(row.name) qos \(Self.priority)", failure: 0, show: Shown.bool) {
        call(
          receiver, selector, model.reference, options.reference, Self.priority, &fault)
      }
    }
    guard result == 0 else { return nil }
    return refusal(row, program, fault)
  }

  private func refusal(_ row: MessageRow, _ program: String, _ fault: Reference?) -> Refusal {
    Refusal(message: row, program: program, fault: fault.map { NativeError($0, foreign) })
  }
}

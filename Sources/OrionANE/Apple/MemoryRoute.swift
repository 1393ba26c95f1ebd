/// The framework's models in memory. A directory is set as the model's URL, so that the framework writes none
/// of its own: the descriptor is there for the identity it gives, and a hash stands in it for the weights.
final class MemoryRoute: FrameworkRoute {
  let name = RouteName.memory.rawValue
  let foreign: Foreign
  let messenger: Messenger
  private let options: ForeignObject

  init(_ library: ForeignLibrary, log: CallLog) throws(OrionError) {
    let foreign = try Foreign(library, log: log)
    self.foreign = foreign
    (messenger, options) = try foreign.enter { () throws(OrionError) in
      let messenger = try Messenger(foreign, rows: MemoryMessages.all)
      let file = try foreign.makeString(FrameworkCall.modelFile)
      let options = try foreign.makeDictionary([
        (foreign.table.constants.modelFileName, file.reference)
      ])
      return (messenger, options)
    }
  }

  func model(_ place: ModelPlace) throws(OrionError) -> ForeignObject {
    let text = try foreign.makeData(Array(Self.text(place).utf8))
    var entries: [(Reference, Reference)] = []
    var held: [ForeignObject] = []
    if let hash = place.weightsHash {
      let path = try foreign.makeString("@model_path/\(ModelDirectory.weightFile)")
      let name = try foreign.makeString(ModelDirectory.weightFile)
      let content = try foreign.makeData(Array(hash.utf8))
      let entry = try foreign.makeDictionary([(name.reference, content.reference)])
      entries.append((path.reference, entry.reference))
      held += [path, name, content, entry]
    }
    let weights = try foreign.makeDictionary(entries)
    withExtendedLifetime(held) {}
    let model = try messenger.object(
      MemoryMessages.model, try descriptor(text, weights).reference, note: place.directory)
    let url = try foreign.makeURL(directory: place.directory)
    try messenger.send(
      MemoryMessages.setURL, to: model.reference,
      as: (@convention(c) (Reference, Reference, Reference) -> Void).self
    ) { call, receiver, selector in
      foreign.log.record(
        "\(MemoryMessages.setURL.name) \(place.directory)", show: Shown.nothing
      ) { call(receiver, selector, url.reference) }
    }
    return model
  }

  fileprivate func descriptor(_ text: ForeignObject, _ weights: ForeignObject)
    throws(OrionError) -> ForeignObject
  {
    let row = MemoryMessages.descriptor
    let made = try messenger.send(
      row,
      as: (@convention(c) (Reference, Reference, Reference, Reference, Reference?) -> Reference?)
        .self
    ) { call, receiver, selector in
      foreign.log.call(row.name, failure: nil, show: Shown.reference) {
        call(receiver, selector, text.reference, weights.reference, nil)
      }
    }
    return try foreign.retained(made, by: row.name)
  }

  /// Weights that change must not be found under the identity of those that do not: white space after the text,
  /// which means nothing, makes a private model's text differ from all others.
  private static func text(_ place: ModelPlace) -> String {
    guard place.isPrivate else { return place.text }
    let digits = SHA256.hex(of: [place.directory]).prefix(16).compactMap(\.hexDigitValue)
    let mark = digits.map { digit in
      String((0..<4).map { digit >> $0 & 1 == 0 ? " " as Character : "\t" })
    }
    return place.text + mark.joined() + "\n"
  }

  func exists(_ model: ForeignObject) throws(OrionError) -> Bool {
    let found = try messenger.send(
      MemoryMessages.exists, to: model.reference,
      as: (@convention(c) (Reference, Reference) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.record(MemoryMessages.exists.name, show: Shown.bool) { call(receiver, selector) }
    }
    return found != 0
  }

  func purge(_ model: ForeignObject) throws(OrionError) {
    try messenger.send(
      MemoryMessages.purge, to: model.reference,
      as: (@convention(c) (Reference, Reference) -> Void).self
    ) { call, receiver, selector in
      foreign.log.record(MemoryMessages.purge.name, show: Shown.nothing) {
        call(receiver, selector)
      }
    }
  }

  func compile(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(MemoryMessages.compile, model, program)
  }

  func load(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    try tell(MemoryMessages.load, model, program)
  }

  fileprivate func tell(
    _ row: MessageRow, _ model: ForeignObject, _ program: String, with other: ForeignObject? = nil
  ) throws(OrionError) -> Refusal? {
    let options = other ?? options
    var fault: Reference?
    let answer = try messenger.send(
      row, to: model.reference,
      as: (@convention(c) (
        Reference, Reference, UInt32, Reference, Messenger.ErrorSlot
      ) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(row.name) qos \(FrameworkCall.priority)", failure: 0, show: Shown.bool
      ) { call(receiver, selector, FrameworkCall.priority, options.reference, &fault) }
    }
    return refusal(row, program, answer, fault)
  }

  func unload(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal? {
    var fault: Reference?
    let row = MemoryMessages.unload
    let answer = try messenger.send(
      row, to: model.reference,
      as: (@convention(c) (Reference, Reference, UInt32, Messenger.ErrorSlot) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(row.name) qos \(FrameworkCall.priority)", failure: 0, show: Shown.bool
      ) { call(receiver, selector, FrameworkCall.priority, &fault) }
    }
    return refusal(row, program, answer, fault)
  }

  func attributes(_ model: ForeignObject, function: String) throws(OrionError) -> ModelAttributes {
    let attributes = try messenger.object(MemoryMessages.attributes, to: model.reference)
    return try ModelAttributes(attributes.reference, function: function, foreign)
  }

  func evaluate(
    _ model: ForeignObject, _ binding: ProgramBinding, inputs: [ForeignObject],
    outputs: [ForeignObject]
  ) throws(OrionError) -> Refusal? {
    let request = try request(binding, inputs: inputs, outputs: outputs)
    let row = MemoryMessages.evaluate
    var fault: Reference?
    let answer = try messenger.send(
      row, to: model.reference,
      as: (@convention(c) (
        Reference, Reference, UInt32, Reference, Reference, Messenger.ErrorSlot
      ) -> UInt8).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(row.name) \(binding.function) qos \(FrameworkCall.priority)", failure: 0,
        show: Shown.bool
      ) {
        call(
          receiver, selector, FrameworkCall.priority, options.reference, request.reference, &fault)
      }
    }
    return refusal(row, binding.function, answer, fault)
  }
}

// MARK: - Models without a directory of ours

extension MemoryRoute {
  /// A model whose files are the framework's affair.
  func bareModel(_ text: String) throws(OrionError) -> ForeignObject {
    let data = try foreign.makeData(Array(text.utf8))
    let descriptor = try descriptor(data, try foreign.makeDictionary([]))
    return try messenger.object(MemoryMessages.model, descriptor.reference, note: "without a URL")
  }

  /// Where the framework keeps the model's files.
  func localPath(_ model: ForeignObject) throws(OrionError) -> String {
    let path = try messenger.object(MemoryMessages.localPath, to: model.reference)
    guard let text = foreign.string(path.reference) else {
      throw OrionError(.device, "\(MemoryMessages.localPath.name) answered no text")
    }
    return text
  }

  /// Loads a model whose text lies in `file`.
  func load(_ model: ForeignObject, _ program: String, file: String)
    throws(OrionError) -> Refusal?
  {
    let name = try foreign.makeString(file)
    let options = try foreign.makeDictionary([
      (foreign.table.constants.modelFileName, name.reference)
    ])
    return try tell(MemoryMessages.load, model, program, with: options)
  }
}

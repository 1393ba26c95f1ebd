/// _ANEInMemoryModelDescriptor: a network's text and weights in memory, and the identity that they
/// give a model. It knows no files.

import MILEngine

final class DescriptorObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEInMemoryModelDescriptor" }

  let text: DataObject
  /// Paths in the text, each with a dictionary of which the first value counts.
  let weights: DictionaryObject
  let options: DataObject?
  let isMIL: Bool
  let textHash: String
  let weightsHash: String
  let optionsHash: String

  init(
    text: DataObject, weights: DictionaryObject, contents: [DataObject], options: DataObject?,
    isMIL: Bool, isa: ObjectClass, world: World
  ) {
    self.text = text.retained()
    self.weights = weights.retained()
    self.options = options?.retained()
    self.isMIL = isMIL
    textHash = Self.hash([text])
    weightsHash = Self.hash(contents)
    optionsHash = Self.hash(options.map { [$0] } ?? [])
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    text.release()
    weights.release()
    options?.release()
  }

  /// The identity of every model of these contents: names of weights are no part of it.
  var identifier: String { "\(textHash)_\(weightsHash)_\(optionsHash)" }

  private static func hash(_ data: [DataObject]) -> String {
    var digest = Digest()
    for data in data { digest.add(UnsafeRawBufferPointer(start: data.bytes, count: data.count)) }
    return digest.text()
  }

  override func isEqual(to other: Instance) -> Bool {
    (other as? DescriptorObject)?.identifier == identifier
  }

  /// The first entry of a weight's dictionary. A dictionary has no order of its own; `data` has been
  /// seen to come before `offset`, as in the alphabet.
  static func first(_ entry: DictionaryObject) -> (name: String, value: Instance)? {
    let named = entry.pairs.compactMap { pair in
      (pair.keyObject as? StringObject).flatMap { key in
        pair.valueObject.map { (name: key.text, value: $0) }
      }
    }
    return named.min { $0.name < $1.name }
  }

  /// The entries by path, each with what counts of it.
  static func entries(_ weights: DictionaryObject) -> [(path: String, entry: DictionaryObject)]? {
    let entries = weights.pairs.compactMap { pair in
      (pair.keyObject as? StringObject).flatMap { key in
        (pair.valueObject as? DictionaryObject).map { (path: key.text, entry: $0) }
      }
    }
    guard entries.count == weights.pairs.count else { return nil }
    return entries.sorted { $0.path < $1.path }
  }
}

enum DescriptorClass {
  static let row = ClassRow(
    name: "_ANEInMemoryModelDescriptor", superclass: "NSObject",
    classMethods: [
      Method(
        "modelWithMILText:weights:optionsPlist:", "@@:@@@",
        { receiver, _, text, weights, options in
          make("modelWithMILText", receiver, text, weights, options, isMIL: true)
        } as Factory),
      Method(
        "modelWithNetworkDescription:weights:optionsPlist:", "@@:@@@",
        { receiver, _, text, weights, options in
          make("modelWithNetworkDescription", receiver, text, weights, options, isMIL: false)
        } as Factory),
    ],
    instanceMethods: [
      Method(
        "hexStringIdentifier", "@@:",
        { id, _ in text(id, "hexStringIdentifier") { $0.identifier } } as Get),
      Method(
        "networkTextHash", "@@:", { id, _ in text(id, "networkTextHash") { $0.textHash } } as Get),
      Method(
        "weightsHash", "@@:", { id, _ in text(id, "weightsHash") { $0.weightsHash } } as Get),
      Method(
        "optionsPlistHash", "@@:",
        { id, _ in text(id, "optionsPlistHash") { $0.optionsHash } } as Get),
      Method(
        "networkText", "@@:",
        { id, _ in descriptor(id, "networkText")?.text.address } as Get),
      Method(
        "weights", "@@:", { id, _ in descriptor(id, "weights")?.weights.address } as Get),
      Method(
        "optionsPlist", "@@:",
        { id, _ in descriptor(id, "optionsPlist")?.options?.address } as Get),
      Method(
        "isMILModel", "B@:",
        { id, _ in descriptor(id, "isMILModel")?.isMIL ?? false }
          as @convention(c) (Pointer?, Pointer?) -> Bool),
      Method(
        "isEqualToInMemoryModelDescriptor:", "B@:@",
        { id, _, other in
          let name = "isEqualToInMemoryModelDescriptor:"
          guard let one = descriptor(id, name), other != nil,
            let other = Call("-[_ANEInMemoryModelDescriptor \(name)]")
              .object(other, as: "the argument", DescriptorObject.self)
          else { return false }
          return one.isEqual(to: other)
        } as @convention(c) (Pointer?, Pointer?, Pointer?) -> Bool),
    ])

  private typealias Get = @convention(c) (Pointer?, Pointer?) -> Pointer?
  private typealias Factory =
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?) -> Pointer?

  private static func descriptor(_ id: Pointer?, _ message: String) -> DescriptorObject? {
    Call("-[_ANEInMemoryModelDescriptor \(message)]").object(id, as: "the receiver")
  }

  private static func text(
    _ id: Pointer?, _ message: String, _ text: (DescriptorObject) -> String
  ) -> Pointer? {
    guard let descriptor = descriptor(id, message) else { return nil }
    return StringObject(text(descriptor), world: descriptor.world).autoreleased()
  }

  /// nil without text or weights, and when a weight's dictionary is empty.
  private static func make(
    _ message: String, _ receiver: Pointer?, _ text: Pointer?, _ weights: Pointer?,
    _ options: Pointer?, isMIL: Bool
  ) -> Pointer? {
    let call = Call("+[_ANEInMemoryModelDescriptor \(message):weights:optionsPlist:]")
    guard let (cls, world) = call.home(receiver),
      let text = call.optional(text, as: "the text", DataObject.self),
      let weights = call.optional(weights, as: "weights", DictionaryObject.self),
      let options = call.optional(options, as: "optionsPlist", DataObject.self),
      let text, let weights
    else { return nil }
    guard let entries = DescriptorObject.entries(weights) else {
      call.misuse(
        "weights is no dictionary of dictionaries by path; a Mac would crash here", world: world)
      return nil
    }
    var contents: [DataObject] = []
    for (path, entry) in entries {
      guard let (name, value) = DescriptorObject.first(entry) else { return nil }
      guard let data = value as? DataObject else {
        call.misuse(
          "the first value of the weights \(path) is \(name), which is no NSData;"
            + " give each path one entry, its bytes", world: world)
        return nil
      }
      contents.append(data)
    }
    return DescriptorObject(
      text: text, weights: weights, contents: contents, options: options, isMIL: isMIL, isa: cls,
      world: world
    ).autoreleased()
  }
}

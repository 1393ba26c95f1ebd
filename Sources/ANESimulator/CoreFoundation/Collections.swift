/// CFArray and CFDictionary, immutable, of objects or of plain pointers.

/// Tables of callbacks as CoreFoundation exports them: a version, then functions. A collection made
/// with them retains its elements and compares them as objects.
enum Callbacks {
  private static let retain =
    { _, id in
      Call("CFRetain").object(id, as: "cf", Instance.self)?.retained().address
    } as @convention(c) (Pointer?, Pointer?) -> Pointer?
  private static let release =
    { _, id in
      Call("CFRelease").object(id, as: "cf", Instance.self)?.release()
    } as @convention(c) (Pointer?, Pointer?) -> Void

  /// Six words: version, retain, release, copyDescription, equal, hash.
  private static func table() -> Pointer {
    let words = Pointer.allocate(byteCount: 48, alignment: 8)
    words.initializeMemory(as: UInt8.self, repeating: 0, count: 48)
    words.storeBytes(of: functionAddress(retain), toByteOffset: 8, as: Pointer.self)
    words.storeBytes(of: functionAddress(release), toByteOffset: 16, as: Pointer.self)
    return words
  }

  static let symbols = [
    Symbol("kCFTypeArrayCallBacks", variable: table()),
    Symbol("kCFTypeDictionaryKeyCallBacks", variable: table()),
    Symbol("kCFTypeDictionaryValueCallBacks", variable: table()),
  ]

  /// Whether elements are objects; `nil` after misuse: callbacks of the client's own are not
  /// played.
  static func holdObjects(_ callbacks: Pointer?, _ call: Call) -> Bool? {
    guard let callbacks else { return false }
    guard callbacks.loadUnaligned(fromByteOffset: 8, as: Pointer?.self) == functionAddress(retain)
    else {
      call.misuse("the callbacks are neither NULL nor the kCFType ones; others are not played")
      return nil
    }
    return true
  }
}

final class ArrayObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFArray" }

  let elements: [Pointer?]
  private let objects: [Instance]

  /// Retains `objects` when they are given; `elements` are their addresses then.
  init(elements: [Pointer?], objects: [Instance], world: World?) {
    self.elements = elements
    self.objects = objects.map { $0.retained() }
    super.init(isa: FoundationClasses.named("__NSCFArray"), world: world)
  }

  /// Takes over the makers' counts of `objects`.
  static func owning(_ objects: [Instance], world: World?) -> ArrayObject {
    let array = ArrayObject(elements: objects.map(\.address), objects: objects, world: world)
    for object in objects { object.release() }
    return array
  }

  /// The elements as objects, or `nil` when they are plain pointers.
  func objects<T: Instance>(_ type: T.Type) -> [T]? {
    let typed = objects.compactMap { $0 as? T }
    return typed.count == elements.count ? typed : nil
  }

  override func isEqual(to other: Instance) -> Bool {
    guard let other = other as? ArrayObject, other.elements.count == elements.count else {
      return false
    }
    guard objects.count == elements.count else { return elements == other.elements }
    return zip(objects, other.objects).allSatisfy { $0.isEqual(to: $1) }
  }
  override var descriptionText: String {
    "(\(objects.map(\.descriptionText).joined(separator: ", ")))"
  }
  override func dispose() { for object in objects { object.release() } }
}

final class DictionaryObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFDictionary" }

  struct Pair {
    let key: Pointer?
    let value: Pointer?
    /// `nil` for plain pointers.
    let keyObject: Instance?
    let valueObject: Instance?
  }
  let pairs: [Pair]

  /// Retains the objects of `pairs`; of equal keys the first stays.
  init(_ given: [Pair], world: World?) {
    var pairs: [Pair] = []
    for pair in given where !pairs.contains(where: { DictionaryObject.same($0, pair) }) {
      pair.keyObject?.retained()
      pair.valueObject?.retained()
      pairs.append(pair)
    }
    self.pairs = pairs
    super.init(isa: FoundationClasses.named("__NSCFDictionary"), world: world)
  }

  /// String keys; takes over the makers' counts of the values.
  static func owning(_ entries: [(String, Instance)], world: World?) -> DictionaryObject {
    let keys = entries.map { StringObject($0.0, world: world) }
    let dictionary = DictionaryObject(
      zip(keys, entries).map {
        Pair(key: $0.address, value: $1.1.address, keyObject: $0, valueObject: $1.1)
      }, world: world)
    for key in keys { key.release() }
    for (_, value) in entries { value.release() }
    return dictionary
  }

  private static func same(_ first: Pair, _ second: Pair) -> Bool {
    guard let one = first.keyObject, let other = second.keyObject else {
      return first.key == second.key
    }
    return one.isEqual(to: other)
  }

  func value(forKey key: Pointer?) -> Pointer? {
    guard let holdsObjects = pairs.first.map({ $0.keyObject != nil }) else { return nil }
    guard holdsObjects else { return pairs.first { $0.key == key }?.value }
    let call = Call("CFDictionaryGetValue")
    guard let wanted = call.object(key, as: "key", Instance.self) else { return nil }
    return pairs.first { $0.keyObject?.isEqual(to: wanted) ?? false }?.value
  }

  /// The object under a string key.
  func object(_ key: String) -> Instance? {
    pairs.first { ($0.keyObject as? StringObject)?.text == key }?.valueObject
  }

  override func isEqual(to other: Instance) -> Bool {
    guard let other = other as? DictionaryObject, other.pairs.count == pairs.count else {
      return false
    }
    return pairs.allSatisfy { mine in
      other.pairs.contains { theirs in
        guard DictionaryObject.same(mine, theirs) else { return false }
        guard let value = mine.valueObject, let against = theirs.valueObject else {
          return mine.value == theirs.value
        }
        return value.isEqual(to: against)
      }
    }
  }
  override var descriptionText: String {
    let entries = pairs.map {
      "\($0.keyObject?.descriptionText ?? "?") = \($0.valueObject?.descriptionText ?? "?")"
    }
    return "{\(entries.joined(separator: "; "))}"
  }
  override func dispose() {
    for pair in pairs {
      pair.keyObject?.release()
      pair.valueObject?.release()
    }
  }
}

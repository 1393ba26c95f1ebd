/// The functions of CFArray and CFDictionary.

typealias PointerList = UnsafeMutablePointer<Pointer?>

enum Arrays {
  static let symbols =
    Callbacks.symbols + [
      Symbol("CFArrayGetTypeID", { TypeIDs.array } as CoreFoundation.TypeID),
      Symbol(
        "CFArrayCreate",
        { allocator, values, count, callbacks in
          let call = Call("CFArrayCreate")
          guard CoreFoundation.checkAllocator(allocator, call),
            let elements = elements(values, count, "values", call),
            let holdsObjects = Callbacks.holdObjects(callbacks, call),
            let objects = objects(elements, holdsObjects, "values", call)
          else { return nil }
          return ArrayObject(
            elements: elements, objects: objects, world: ThreadState.current.world
          ).address
        } as @convention(c) (Pointer?, PointerList?, Int, Pointer?) -> Pointer?),
      Symbol(
        "CFArrayGetCount",
        { id in
          Call("CFArrayGetCount").object(id, as: "theArray", ArrayObject.self)?.elements.count ?? 0
        } as CoreFoundation.Length),
      Symbol(
        "CFArrayGetValueAtIndex",
        { id, index in
          let call = Call("CFArrayGetValueAtIndex")
          guard let array = call.object(id, as: "theArray", ArrayObject.self) else { return nil }
          guard array.elements.indices.contains(index) else {
            call.misuse("index \(index) of an array of \(array.elements.count)", world: array.world)
            return nil
          }
          return array.elements[index]
        } as @convention(c) (Pointer?, Int) -> Pointer?),
    ]

  /// A C array of pointers, or `nil` after misuse.
  static func elements(_ values: PointerList?, _ count: Int, _ argument: String, _ call: Call)
    -> [Pointer?]?
  {
    guard count >= 0, values != nil || count == 0 else {
      call.misuse("\(count) \(argument) at \(values.map { "\($0)" } ?? "NULL")")
      return nil
    }
    return Array(UnsafeBufferPointer(start: values, count: count))
  }

  /// The objects at `elements`, none for plain pointers, or `nil` after misuse.
  static func objects(
    _ elements: [Pointer?], _ holdsObjects: Bool, _ argument: String, _ call: Call
  ) -> [Instance]? {
    guard holdsObjects else { return [] }
    var objects: [Instance] = []
    for (index, element) in elements.enumerated() {
      guard let object = call.object(element, as: "\(argument)[\(index)]", Instance.self) else {
        return nil
      }
      objects.append(object)
    }
    return objects
  }
}

enum Dictionaries {
  static let symbols = [
    Symbol("CFDictionaryGetTypeID", { TypeIDs.dictionary } as CoreFoundation.TypeID),
    Symbol("CFDictionaryCreate", create),
    Symbol(
      "CFDictionaryGetCount",
      { id in
        Call("CFDictionaryGetCount").object(id, as: "theDict", DictionaryObject.self)?.pairs.count
          ?? 0
      } as CoreFoundation.Length),
    Symbol(
      "CFDictionaryGetValue",
      { id, key in
        Call("CFDictionaryGetValue").object(id, as: "theDict", DictionaryObject.self)?
          .value(forKey: key)
      } as @convention(c) (Pointer?, Pointer?) -> Pointer?),
    Symbol(
      "CFDictionaryGetKeysAndValues",
      { id, keys, values in
        let call = Call("CFDictionaryGetKeysAndValues")
        guard let dictionary = call.object(id, as: "theDict", DictionaryObject.self) else { return }
        for (index, pair) in dictionary.pairs.enumerated() {
          keys?[index] = pair.key
          values?[index] = pair.value
        }
      } as @convention(c) (Pointer?, PointerList?, PointerList?) -> Void),
  ]

  private static let create:
    @convention(c) (Pointer?, PointerList?, PointerList?, Int, Pointer?, Pointer?) -> Pointer? = {
      allocator, keys, values, count, keyCallbacks, valueCallbacks in
      let call = Call("CFDictionaryCreate")
      guard CoreFoundation.checkAllocator(allocator, call),
        let keys = Arrays.elements(keys, count, "keys", call),
        let values = Arrays.elements(values, count, "values", call),
        let keysAreObjects = Callbacks.holdObjects(keyCallbacks, call),
        let valuesAreObjects = Callbacks.holdObjects(valueCallbacks, call),
        let keyObjects = Arrays.objects(keys, keysAreObjects, "keys", call),
        let valueObjects = Arrays.objects(values, valuesAreObjects, "values", call)
      else { return nil }
      let pairs = keys.indices.map { index in
        DictionaryObject.Pair(
          key: keys[index], value: values[index],
          keyObject: keysAreObjects ? keyObjects[index] : nil,
          valueObject: valuesAreObjects ? valueObjects[index] : nil)
      }
      return DictionaryObject(pairs, world: ThreadState.current.world).address
    }
}

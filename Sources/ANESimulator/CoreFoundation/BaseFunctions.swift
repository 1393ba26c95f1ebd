/// What holds for every CoreFoundation type: ownership, type ids, equality.

enum CoreFoundation {
  typealias One = @convention(c) (Pointer?) -> Pointer?
  typealias TypeID = @convention(c) () -> UInt
  typealias Length = @convention(c) (Pointer?) -> Int

  static let symbols: [Symbol] =
    base + Strings.symbols + DataFunctions.symbols + Numbers.symbols + Arrays.symbols
    + Dictionaries.symbols + URLs.symbols + Errors.symbols

  private static let base = [
    Symbol(
      "CFRetain",
      { id in
        Call("CFRetain").object(id, as: "cf", Instance.self)?.retained().address
      } as One),
    Symbol(
      "CFRelease",
      { id in
        Call("CFRelease").object(id, as: "cf", Instance.self)?.release()
      } as @convention(c) (Pointer?) -> Void),
    Symbol(
      "CFGetTypeID",
      { id in
        Call("CFGetTypeID").object(id, as: "cf", Instance.self).map { TypeIDs.of($0) } ?? 0
      } as @convention(c) (Pointer?) -> UInt),
    Symbol(
      "CFEqual",
      { first, second in
        let call = Call("CFEqual")
        guard let first = call.object(first, as: "cf1", Instance.self),
          let second = call.object(second, as: "cf2", Instance.self)
        else { return 0 }
        return first.isEqual(to: second) ? 1 : 0
      } as @convention(c) (Pointer?, Pointer?) -> UInt8),
  ]

  /// Only the default allocator exists here; a Mac would call the functions of another one.
  static func checkAllocator(_ allocator: Pointer?, _ call: Call) -> Bool {
    guard allocator != nil else { return true }
    call.misuse("the allocator is not NULL; only the default one is played")
    return false
  }
}

/// The numbers CFGetTypeID gives; a client may compare them, nothing else.
enum TypeIDs {
  static let object: UInt = 1
  static let string: UInt = 7
  static let dictionary: UInt = 18
  static let array: UInt = 19
  static let data: UInt = 20
  static let boolean: UInt = 21
  static let number: UInt = 22
  static let error: UInt = 27
  static let url: UInt = 29
  static let surface: UInt = 269

  static func of(_ object: Instance) -> UInt {
    switch object {
    case is StringObject: string
    case is DictionaryObject: dictionary
    case is ArrayObject: array
    case is DataObject: data
    case is BooleanObject: boolean
    case is NumberObject: number
    case is ErrorObject: error
    case is URLObject: url
    case is Surface: surface
    default: self.object
    }
  }
}

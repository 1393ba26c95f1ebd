/// CFNumber and CFBoolean.

final class NumberObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFNumber" }

  enum Value: Equatable {
    case integer(Int64)
    case double(Double)
  }
  let value: Value

  init(_ value: Value, world: World?) {
    self.value = value
    super.init(isa: FoundationClasses.named("__NSCFNumber"), world: world)
  }

  /// The number as an integer when it is one.
  var integer: Int64? {
    switch value {
    case .integer(let number): number
    case .double(let number): Int64(exactly: number)
    }
  }

  var double: Double {
    switch value {
    case .integer(let number): Double(number)
    case .double(let number): number
    }
  }

  override func isEqual(to other: Instance) -> Bool {
    guard let other = other as? NumberObject else { return false }
    if let mine = integer, let theirs = other.integer { return mine == theirs }
    return double == other.double
  }
  override var descriptionText: String { integer.map { "\($0)" } ?? "\(double)" }
}

final class BooleanObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFBoolean" }

  static let yes = BooleanObject(true)
  static let no = BooleanObject(false)

  let value: Bool

  private init(_ value: Bool) {
    self.value = value
    super.init(isa: FoundationClasses.named("__NSCFBoolean"), world: nil, isImmortal: true)
  }

  override var descriptionText: String { value ? "1" : "0" }
}

enum Numbers {
  /// C types by CFNumberType.
  private enum Kind: Int {
    case sint8 = 1
    case sint16, sint32, sint64, float32, float64, char, short, int, long, longLong, float, double
    case index, nsInteger, cgFloat
  }

  static let symbols = [
    Symbol("CFNumberGetTypeID", { TypeIDs.number } as CoreFoundation.TypeID),
    Symbol("CFBooleanGetTypeID", { TypeIDs.boolean } as CoreFoundation.TypeID),
    Symbol("kCFBooleanTrue", constant: BooleanObject.yes),
    Symbol("kCFBooleanFalse", constant: BooleanObject.no),
    Symbol(
      "CFNumberCreate",
      { allocator, type, source in
        let call = Call("CFNumberCreate")
        guard CoreFoundation.checkAllocator(allocator, call) else { return nil }
        guard let kind = Kind(rawValue: type), let source else {
          call.misuse("number type \(type), value at \(source.map { "\($0)" } ?? "NULL")")
          return nil
        }
        return NumberObject(read(kind, source), world: ThreadState.current.world).address
      } as @convention(c) (Pointer?, Int, UnsafeRawPointer?) -> Pointer?),
    Symbol(
      "CFNumberGetValue",
      { id, type, target in
        let call = Call("CFNumberGetValue")
        guard let number = call.object(id, as: "number", NumberObject.self) else { return 0 }
        guard let kind = Kind(rawValue: type), let target else {
          call.misuse("number type \(type), value at \(target.map { "\($0)" } ?? "NULL")")
          return 0
        }
        return write(number, kind, target) ? 1 : 0
      } as @convention(c) (Pointer?, Int, Pointer?) -> UInt8),
    Symbol(
      "CFBooleanGetValue",
      { id in
        let boolean = Call("CFBooleanGetValue").object(id, as: "boolean", BooleanObject.self)
        return boolean?.value == true ? 1 : 0
      } as @convention(c) (Pointer?) -> UInt8),
  ]

  private static func read(_ kind: Kind, _ source: UnsafeRawPointer) -> NumberObject.Value {
    switch kind {
    case .sint8, .char: .integer(Int64(source.loadUnaligned(as: Int8.self)))
    case .sint16, .short: .integer(Int64(source.loadUnaligned(as: Int16.self)))
    case .sint32, .int: .integer(Int64(source.loadUnaligned(as: Int32.self)))
    case .sint64, .long, .longLong, .index, .nsInteger:
      .integer(source.loadUnaligned(as: Int64.self))
    case .float32, .float: .double(Double(source.loadUnaligned(as: Float.self)))
    case .float64, .double, .cgFloat: .double(source.loadUnaligned(as: Double.self))
    }
  }

  /// Writes the number as the C type; `false` when it does not fit exactly.
  private static func write(_ number: NumberObject, _ kind: Kind, _ target: Pointer) -> Bool {
    switch kind {
    case .sint8, .char: return store(number, Int8.self, target)
    case .sint16, .short: return store(number, Int16.self, target)
    case .sint32, .int: return store(number, Int32.self, target)
    case .sint64, .long, .longLong, .index, .nsInteger: return store(number, Int64.self, target)
    case .float32, .float:
      target.storeBytes(of: Float(number.double), as: Float.self)
      return Double(Float(number.double)) == number.double
    case .float64, .double, .cgFloat:
      target.storeBytes(of: number.double, as: Double.self)
      return number.integer.map { Int64(exactly: number.double) == $0 } ?? true
    }
  }

  private static func store<T: FixedWidthInteger>(
    _ number: NumberObject, _ type: T.Type, _ target: Pointer
  ) -> Bool {
    let whole = number.integer ?? Int64(number.double.rounded(.towardZero).clamped)
    target.storeBytes(of: T(truncatingIfNeeded: whole), as: T.self)
    return number.integer != nil && T(exactly: whole) != nil
  }
}

extension Double {
  /// The nearest number that fits 64 bits; 0 for NaN.
  fileprivate var clamped: Double {
    isNaN ? 0 : Swift.min(Swift.max(self, -0x1p63), 0x1.fffffffffffffp62)
  }
}

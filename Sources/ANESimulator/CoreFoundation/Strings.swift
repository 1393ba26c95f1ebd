/// CFString: immutable Unicode text.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class StringObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFString" }

  let text: String
  /// What `UTF8String` returns; lives as long as the string.
  let utf8Pointer: Pointer

  init(_ text: String, world: World?, isConstant: Bool = false) {
    self.text = text
    utf8Pointer = Pointer(CString.immortal(text))
    super.init(
      isa: FoundationClasses.named(isConstant ? "__NSCFConstantString" : "__NSCFString"),
      world: world, isImmortal: isConstant)
  }

  /// A string that exists as long as the process.
  static func constant(_ text: String) -> StringObject {
    StringObject(text, world: nil, isConstant: true)
  }

  override func isEqual(to other: Instance) -> Bool { (other as? StringObject)?.text == text }
  override var descriptionText: String { text }
  override func dispose() { free(utf8Pointer) }
}

enum Strings {
  private enum Encoding: UInt32 {
    case latin1 = 0x0201
    case ascii = 0x0600
    case utf8 = 0x0800_0100
  }

  static let symbols = [
    Symbol("CFStringGetTypeID", { TypeIDs.string } as CoreFoundation.TypeID),
    Symbol(
      "CFStringCreateWithBytes",
      { allocator, bytes, count, encoding, _ in
        let call = Call("CFStringCreateWithBytes")
        guard CoreFoundation.checkAllocator(allocator, call) else { return nil }
        guard count >= 0, bytes != nil || count == 0 else {
          call.misuse("\(count) bytes at \(bytes.map { "\($0)" } ?? "NULL")")
          return nil
        }
        let raw = UnsafeRawBufferPointer(start: bytes, count: count)
        guard let text = decode(raw, encoding, call) else { return nil }
        return StringObject(text, world: ThreadState.current.world).address
      } as @convention(c) (Pointer?, UnsafePointer<UInt8>?, Int, UInt32, UInt8) -> Pointer?),
    Symbol(
      "CFStringGetLength",
      { id in
        Call("CFStringGetLength").object(id, as: "theString", StringObject.self)?.text.utf16.count
          ?? 0
      } as CoreFoundation.Length),
    Symbol(
      "CFStringGetCString",
      { id, buffer, size, encoding in
        let call = Call("CFStringGetCString")
        guard let string = call.object(id, as: "theString", StringObject.self) else { return 0 }
        guard let buffer, size > 0 else {
          call.misuse("the buffer is NULL or empty")
          return 0
        }
        guard let bytes = encode(string.text, encoding, call), bytes.count < size else { return 0 }
        for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        buffer[bytes.count] = 0
        return 1
      } as @convention(c) (Pointer?, UnsafeMutablePointer<CChar>?, Int, UInt32) -> UInt8),
  ]

  /// `nil` for bytes that the encoding does not allow, as the real function returns NULL.
  private static func decode(_ bytes: UnsafeRawBufferPointer, _ encoding: UInt32, _ call: Call)
    -> String?
  {
    switch Encoding(rawValue: encoding) {
    case .utf8: String(validating: bytes, as: UTF8.self)
    case .ascii: String(validating: bytes, as: Unicode.ASCII.self)
    case .latin1: String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    case nil: refuse(encoding, call)
    }
  }

  private static func encode(_ text: String, _ encoding: UInt32, _ call: Call) -> [UInt8]? {
    switch Encoding(rawValue: encoding) {
    case .utf8: return Array(text.utf8)
    case .ascii: return narrow(text, below: 0x80)
    case .latin1: return narrow(text, below: 0x100)
    case nil: return refuse(encoding, call)
    }
  }

  private static func narrow(_ text: String, below limit: UInt32) -> [UInt8]? {
    guard text.unicodeScalars.allSatisfy({ $0.value < limit }) else { return nil }
    return text.unicodeScalars.map { UInt8($0.value) }
  }

  private static func refuse<T>(_ encoding: UInt32, _ call: Call) -> T? {
    call.misuse(
      "encoding 0x\(String(encoding, radix: 16)) is not played;"
        + " use UTF-8 (0x8000100), ASCII or Latin 1"
    )
    return nil
  }
}

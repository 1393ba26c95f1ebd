/// The content of program.orion and its bytes, with a checksum over all of them.
import ANEProfiles
import CKernels

struct ProgramRecord: Sendable {
  let profile: String
  let arithmetic: Arithmetic
  let packs: [String]
  let text: String

  private static let magic: [UInt8] = Array("ORIONPRG".utf8)
  private static let version: UInt32 = 2

  init(profile: String, arithmetic: Arithmetic, packs: [String], text: String) {
    self.profile = profile
    self.arithmetic = arithmetic
    self.packs = packs
    self.text = text
  }

  func write(to path: String) throws(EngineError) {
    var bytes = Self.magic
    func append(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    func append(_ text: String) {
      append(UInt64(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    }
    append(Self.version)
    append(profile)
    append(arithmetic.storage.rawValue)
    append(UInt32(arithmetic.settings.count))
    for setting in arithmetic.settings { append(setting.bitPattern) }
    append(UInt32(packs.count))
    for pack in packs { append(pack) }
    append(text)
    let sum = bytes.withUnsafeBytes { orion_checksum($0.baseAddress, $0.count, 0) }
    append(sum)
    try Files.write(path) { (write) throws(EngineError) in
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
      defer { buffer.deallocate() }
      buffer.copyBytes(from: bytes)
      try write(UnsafeRawBufferPointer(buffer))
    }
  }

  init(path: String) throws(EngineError) {
    let file = try MappedFile(path: path)
    func damaged(_ what: String) -> EngineError {
      .damaged("compiled program \(path): \(what); compile the program again")
    }
    let bytes = file.bytes
    guard bytes.count >= 20, bytes.prefix(8).elementsEqual(Self.magic) else {
      throw damaged("the file does not start as a compiled program does")
    }
    let version = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard version == Self.version else {
      throw damaged("format \(version) was found, format \(Self.version) is read here")
    }
    let sealed = bytes.count - 8
    let sum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: sealed, as: UInt64.self))
    guard orion_checksum(bytes.baseAddress, sealed, 0) == sum else {
      throw damaged("it does not match its checksum")
    }
    var reader = Reader(bytes: UnsafeRawBufferPointer(rebasing: bytes[12..<sealed]))
    guard let profile = reader.text(), let storage = reader.text(),
      let storage = Arithmetic.Storage(rawValue: storage), let settings = reader.settings(),
      let arithmetic = Arithmetic(storage: storage, settings: settings),
      let count = reader.number(UInt32.self)
    else { throw damaged("it ends too early") }
    var packs: [String] = []
    for _ in 0..<count {
      guard let pack = reader.text() else { throw damaged("it ends too early") }
      packs.append(pack)
    }
    guard let text = reader.text() else { throw damaged("it ends too early") }
    self.init(profile: profile, arithmetic: arithmetic, packs: packs, text: text)
  }

  private struct Reader {
    var bytes: UnsafeRawBufferPointer

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
      let size = MemoryLayout<Number>.size
      guard bytes.count >= size else { return nil }
      defer { bytes = UnsafeRawBufferPointer(rebasing: bytes[size...]) }
      return Number(littleEndian: bytes.loadUnaligned(as: type))
    }

    mutating func settings() -> [Float]? {
      guard let count = number(UInt32.self), count <= 64 else { return nil }
      var settings: [Float] = []
      for _ in 0..<count {
        guard let bits = number(UInt32.self) else { return nil }
        settings.append(Float(bitPattern: bits))
      }
      return settings
    }

    mutating func text() -> String? {
      guard let length = number(UInt64.self), length <= UInt64(bytes.count) else { return nil }
      defer { bytes = UnsafeRawBufferPointer(rebasing: bytes[Int(length)...]) }
      return String(decoding: bytes.prefix(Int(length)), as: UTF8.self)
    }
  }
}

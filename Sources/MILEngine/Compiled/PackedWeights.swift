/// A file of constants in the forms that plans asked for, mapped when a program is loaded. It holds no
/// names: the order of the requests gives the places, and the header says which requests they were.
import CKernels
import Synchronization

/// The constants of weight files that a program asks for, and where they lie in a pack.
struct PackLayout: Sendable {
  /// Each once, in the order of the plans.
  private(set) var requests: [ConstantRequest] = []
  private(set) var offsets: [ConstantRequest: Int] = [:]
  /// Bytes of the whole file.
  private(set) var byteCount = PackedWeights.headerBytes

  init(_ plans: [Plan]) {
    for request in plans.flatMap(\.requests) where !request.isInText && offsets[request] == nil {
      requests.append(request)
      offsets[request] = byteCount
      byteCount += Self.aligned(request.byteCount)
    }
  }

  static func aligned(_ count: Int) -> Int { (count + 63) / 64 * 64 }

  /// Of the requests alone, so that it can be compared when the weights are gone.
  func digest() -> [UInt8] {
    var digest = Digest()
    for request in requests { digest.add(request.description) }
    return digest.bytes()
  }
}

final class PackedWeights: Sendable {
  static let headerBytes = 128
  private static let magic: [UInt8] = Array("ORIONPAK".utf8)
  private static let version: UInt32 = 2
  private static let sealedBytes = headerBytes - 8
  private let file: MappedFile

  private init(_ file: MappedFile) { self.file = file }

  func address(_ offset: Int) -> UnsafeRawPointer? { file.bytes.baseAddress.map { $0 + offset } }

  // MARK: names

  /// The name of the pack of some weights: equal for equal contents in equal forms.
  static func name(
    _ layout: PackLayout, contents: [[UnsafeRawBufferPointer]]
  ) -> String {
    var digest = Digest()
    digest.add("pack \(version)")
    for (request, parts) in zip(layout.requests, contents) {
      digest.add(request.description)
      for part in parts {
        let (first, second) = (
          orion_checksum(part.baseAddress, part.count, 1),
          orion_checksum(part.baseAddress, part.count, 2)
        )
        digest.add("\(part.count) \(first) \(second)")
      }
    }
    return digest.text()
  }

  static func path(_ name: String, in directory: String) -> String {
    "\(directory)/\(name).pack"
  }

  // MARK: writing

  static func write(
    _ layout: PackLayout, contents: [[UnsafeRawBufferPointer]], to path: String
  ) throws(EngineError) {
    // The body is built in memory so that its checksum can stand in front of it.
    let body = try OwnedMemory(layout.byteCount)
    body.address.initializeMemory(as: UInt8.self, repeating: 0, count: layout.byteCount)
    for (request, content) in zip(layout.requests, contents) {
      request.write(content, to: body.address + (layout.offsets[request] ?? 0))
    }
    let whole = UnsafeMutableRawBufferPointer(start: body.address, count: layout.byteCount)
    whole.copyBytes(from: magic)
    whole.storeBytes(of: version.littleEndian, toByteOffset: 8, as: UInt32.self)
    whole.storeBytes(of: UInt64(layout.byteCount).littleEndian, toByteOffset: 16, as: UInt64.self)
    UnsafeMutableRawBufferPointer(rebasing: whole[24..<56]).copyBytes(from: layout.digest())
    let sum = orion_checksum(
      body.address + headerBytes, layout.byteCount - headerBytes, UInt64(version))
    whole.storeBytes(of: sum.littleEndian, toByteOffset: 56, as: UInt64.self)
    let seal = orion_checksum(body.address, sealedBytes, UInt64(version))
    whole.storeBytes(of: seal.littleEndian, toByteOffset: sealedBytes, as: UInt64.self)
    try Files.write(path) { (write) throws(EngineError) in
      try write(UnsafeRawBufferPointer(whole))
    }
  }

  // MARK: reading

  private struct Weak { weak var pack: PackedWeights? }
  /// Packs that are mapped already, by path and identity of the file.
  private static let open = Mutex<[String: Weak]>([:])

  /// Maps a pack and checks every byte, once as long as it stays mapped and unchanged.
  static func load(_ path: String, layout: PackLayout) throws(EngineError) -> PackedWeights {
    let file = try MappedFile(path: path)
    let key = "\(path) \(file.identity)"
    if let known = open.withLock({ $0[key]?.pack }) {
      try known.check(layout)
      return known
    }
    let pack = PackedWeights(file)
    try pack.verify()
    try pack.check(layout)
    open.withLock { known in
      known = known.filter { $0.value.pack != nil }
      known[key] = Weak(pack: pack)
    }
    return pack
  }

  private func field<Number: FixedWidthInteger>(_ offset: Int, _ type: Number.Type) -> Number {
    Number(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  private func damaged(_ what: String) -> EngineError {
    .damaged("packed weights \(file.path): \(what); compile the program again")
  }

  private func verify() throws(EngineError) {
    guard file.bytes.count >= Self.headerBytes, file.bytes.prefix(8).elementsEqual(Self.magic)
    else { throw damaged("the file does not start as a pack does") }
    let version = field(8, UInt32.self)
    guard version == Self.version else {
      throw damaged("format \(version) was found, format \(Self.version) is read here")
    }
    let base = file.bytes.baseAddress
    guard
      orion_checksum(base, Self.sealedBytes, UInt64(version))
        == field(Self.sealedBytes, UInt64.self)
    else { throw damaged("the header does not match its checksum") }
    guard field(16, UInt64.self) == UInt64(file.bytes.count) else {
      throw damaged("\(field(16, UInt64.self)) bytes were written, \(file.bytes.count) are there")
    }
    let body = UnsafeRawBufferPointer(rebasing: file.bytes[Self.headerBytes...])
    guard orion_checksum(body.baseAddress, body.count, UInt64(version)) == field(56, UInt64.self)
    else { throw damaged("the weights do not match their checksum") }
  }

  private func check(_ layout: PackLayout) throws(EngineError) {
    guard file.bytes.count == layout.byteCount,
      file.bytes[24..<56].elementsEqual(layout.digest())
    else { throw damaged("it holds other weights than the program asks for") }
  }
}

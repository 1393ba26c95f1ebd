/// SHA-256 of texts or bytes, as hexadecimal digits or bytes.
import CKernels

public struct Digest {
  /// Hashed in one go: starting the hash costs more than a short text.
  private var content: [UInt8] = []

  public init() {}

  public mutating func add(_ bytes: UnsafeRawBufferPointer) { content.append(contentsOf: bytes) }

  mutating func add(_ text: String) {
    content.append(contentsOf: text.utf8)
    // Texts that follow each other stay apart.
    content.append(0)
  }

  func bytes() -> [UInt8] {
    var state = orion_sha256()
    orion_sha256_start(&state)
    orion_sha256_add(&state, content, content.count)
    return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      orion_sha256_finish(&state, buffer.baseAddress)
      count = 32
    }
  }

  public func text() -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

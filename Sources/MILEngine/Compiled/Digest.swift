/// SHA-256 of texts, as hexadecimal digits or bytes.
import CKernels

struct Digest {
  private var state = orion_sha256()

  init() { orion_sha256_start(&state) }

  mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { orion_sha256_add(&state, $0.baseAddress, $0.count) }
    // Texts that follow each other stay apart.
    var end: UInt8 = 0
    orion_sha256_add(&state, &end, 1)
  }

  func bytes() -> [UInt8] {
    var copy = state
    return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      orion_sha256_finish(&copy, buffer.baseAddress)
      count = 32
    }
  }

  func text() -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

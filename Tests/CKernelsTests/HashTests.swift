import CKernels
import Testing

private func sha256(_ bytes: [UInt8], pieces: [Int]? = nil) -> String {
  var hash = orion_sha256()
  orion_sha256_start(&hash)
  var next = 0
  for piece in pieces ?? [bytes.count] {
    bytes.withUnsafeBytes { orion_sha256_add(&hash, $0.baseAddress! + next, piece) }
    next += piece
  }
  var digest = [UInt8](repeating: 0, count: 32)
  orion_sha256_finish(&hash, &digest)
  return digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

private let vectors: [(String, String)] = [
  ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  (
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
  ),
  (
    String(repeating: "a", count: 1_000_000),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
  ),
]

private func checksum(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
  orion_checksum(bytes, bytes.count, seed)
}

extension Kernels {
  @Suite struct HashTests {
    @Test(arguments: vectors.indices) func sha256GivesThePublishedDigests(index: Int) {
      let (text, digest) = vectors[index]
      withEachTable { table in
        #expect(sha256(Array(text.utf8) + [0], pieces: [text.utf8.count]) == digest, "\(table)")
      }
    }

    @Test func sha256DoesNotDependOnPieces() {
      var random = Random(71)
      let bytes = (0..<1000).map { _ in UInt8(truncatingIfNeeded: random.bits()) }
      let whole = sha256(bytes)
      withEachTable { table in
        for _ in 0..<50 {
          var pieces: [Int] = []
          var left = bytes.count
          while left > 0 {
            pieces.append(min(left, random.below(150)))
            left -= pieces.last!
          }
          #expect(sha256(bytes, pieces: pieces) == whole, "\(table) \(pieces)")
        }
      }
    }

    @Test func checksumSeesEveryByte() {
      var random = Random(72)
      for count in [1, 7, 8, 63, 64, 65, 127, 128, 1000] {
        var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.bits()) }
        let before = checksum(bytes)
        for position in 0..<count {
          let byte = bytes[position]
          bytes[position] ^= UInt8(1 + random.below(255))
          #expect(checksum(bytes) != before, "byte \(position) of \(count)")
          bytes[position] = byte
        }
        #expect(checksum(bytes) == before)
      }
    }

    @Test func checksumSeesLengthSeedAndOrder() {
      let zeros = (0...300).map { checksum([UInt8](repeating: 0, count: $0)) }
      #expect(Set(zeros).count == zeros.count)
      let seeds = (0..<300).map { checksum([1, 2, 3], seed: UInt64($0)) }
      #expect(Set(seeds).count == seeds.count)
      let bytes = (0..<256).map { UInt8($0) }
      var swapped = bytes
      swapped.swapAt(3, 67)
      #expect(checksum(swapped) != checksum(bytes))
    }

    @Test func checksumIsTheSameEverywhere() {
      // Files keep it: a change of the formula makes every cache stale.
      #expect(checksum([]) == orion_checksum(nil, 0, 0))
      let bytes = (0..<200).map { UInt8($0) }
      #expect(checksum(bytes, seed: 7) == 0xbe96_f679_87b4_c4c0)
    }
  }
}

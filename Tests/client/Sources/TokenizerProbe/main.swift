// Reads texts from standard input, one a line in hexadecimal, and writes for each its ids and what they stream, with and
// without special tokens: `TokenizerProbe PATH [VOCABULARY]`. A first line tells begin and end tokens and the vocabulary.

import OrionANE

func bytes(_ line: String) -> [UInt8] {
  let digits = Array(line.utf8).map { $0 < 0x40 ? $0 - 0x30 : $0 - 0x57 }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hexadecimal(_ text: String) -> String {
  let digits = Array("0123456789abcdef".utf8)
  let found = text.utf8.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  return String(decoding: found, as: UTF8.self)
}

func numbers(_ ids: [Int32]) -> String { ids.map(String.init).joined(separator: " ") }

do {
  let arguments = CommandLine.arguments.dropFirst()
  let tokenizer = try Tokenizer(
    path: arguments.first ?? "", modelVocabulary: arguments.dropFirst().first.flatMap { Int($0) })
  print(
    "\(numbers(tokenizer.beginToken.map { [$0] } ?? []));\(numbers(tokenizer.endTokens));"
      + "\(tokenizer.vocabulary)")
  while let line = readLine() {
    let ids = tokenizer.encode(String(decoding: bytes(line), as: UTF8.self))
    let plain = tokenizer.encode(String(decoding: bytes(line), as: UTF8.self), addingBegin: false)
    print(
      "\(numbers(ids));\(numbers(plain));\(hexadecimal(tokenizer.decode(ids)));"
        + hexadecimal(tokenizer.decode(ids, skippingSpecial: false)))
  }
} catch {
  print("error: \(error)")
}

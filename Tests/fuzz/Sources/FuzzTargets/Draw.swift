/// Choices drawn from an input, byte by byte; zeros when it is used up.
struct Draw {
  private let bytes: [UInt8]
  private var next = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isEmpty: Bool { next >= bytes.count }

  mutating func byte() -> UInt8 {
    defer { next += 1 }
    return isEmpty ? 0 : bytes[next]
  }

  mutating func below(_ count: Int) -> Int { Int(byte()) % max(count, 1) }

  mutating func word() -> UInt64 { (0..<8).reduce(0) { sum, _ in sum << 8 | UInt64(byte()) } }

  /// Up to 255 bytes as they come.
  mutating func run() -> [UInt8] {
    let count = Int(byte())
    let taken = bytes.dropFirst(next).prefix(count)
    next += taken.count
    return Array(taken)
  }

  mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}

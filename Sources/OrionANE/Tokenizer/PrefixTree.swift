/// Texts as a tree of bytes: which of them begin at a place, in one walk. It knows no ids.
struct PrefixTree: Sendable {
  /// The node under a node by a byte: both in one key.
  private var children: [Int: Int32] = [:]
  /// What stands at the end of a text, by node; -1 where none ends.
  private var values: [Int32] = [-1]
  private var begins = [Bool](repeating: false, count: 256)

  var isEmpty: Bool { values.count == 1 }

  /// A text that comes twice keeps its last value. Empty texts are nowhere found.
  mutating func insert(_ text: [UInt8], value: Int) {
    guard let first = text.first else { return }
    begins[Int(first)] = true
    var node = 0
    for byte in text {
      if let next = children[node << 8 | Int(byte)] {
        node = Int(next)
      } else {
        children[node << 8 | Int(byte)] = Int32(values.count)
        node = values.count
        values.append(-1)
      }
    }
    values[node] = Int32(value)
  }

  /// Calls `body` with value and end of each text that begins at `start`, shortest first.
  func walk(_ bytes: [UInt8], from start: Int, _ body: (_ value: Int, _ end: Int) -> Void) {
    guard start < bytes.count, begins[Int(bytes[start])] else { return }
    var node = 0
    for place in start..<bytes.count {
      guard let next = children[node << 8 | Int(bytes[place])] else { return }
      node = Int(next)
      if values[node] >= 0 { body(Int(values[node]), place + 1) }
    }
  }

  /// The longest text that begins at `start`.
  func longest(_ bytes: [UInt8], from start: Int) -> (value: Int, end: Int)? {
    var found: (value: Int, end: Int)?
    walk(bytes, from: start) { found = ($0, $1) }
    return found
  }
}

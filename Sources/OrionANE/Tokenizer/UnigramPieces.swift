/// The likeliest way to read a text as pieces, by a score for each piece. It knows no ids' meaning.
struct UnigramPieces: Sendable {
  /// Pieces that may be read, by their row.
  private var tree = PrefixTree()
  private var rows: [Row] = []
  /// For a character that is no piece.
  private let unknown: Row
  /// Sums are kept so, which decides between ways that are almost equally likely.
  enum Precision: Sendable { case single, double }
  private let precision: Precision

  /// `score` of a piece; one of a `bonus` piece grows with its length, so that it is always chosen.
  struct Row: Sendable {
    let id: Int
    let score: Double
    var bonus: Double?
  }

  /// A piece that is read, and which bytes.
  struct Part {
    let id: Int
    let range: Range<Int>
  }

  init(unknown: Row, precision: Precision) {
    self.unknown = unknown
    self.precision = precision
  }

  mutating func insert(_ piece: [UInt8], _ row: Row) {
    tree.insert(piece, value: rows.count)
    rows.append(row)
  }

  private struct Way {
    var id = -1
    var start = -1
    var score = 0.0
  }

  func encode(_ text: [UInt8]) -> [Part] {
    var best = [Way](repeating: Way(), count: text.count + 1)
    func offer(_ row: Row, _ start: Int, _ end: Int) {
      var score = row.score
      if let bonus = row.bonus { score = Double(end - start) * bonus - 0.1 }
      score += best[start].score
      guard best[end].start < 0 || score > best[end].score else { return }
      best[end] = Way(
        id: row.id, start: start, score: precision == .single ? Double(Float(score)) : score)
    }
    var start = 0
    while start < text.count {
      let next = UTF8Text.end(text, start)
      var isKnown = false
      tree.walk(text, from: start) { value, end in
        offer(rows[value], start, end)
        isKnown = isKnown || end == next
      }
      if !isKnown { offer(unknown, start, next) }
      start = next
    }
    var parts: [Part] = []
    var end = text.count
    while end > 0, best[end].start >= 0 {
      parts.append(Part(id: best[end].id, range: best[end].start..<end))
      end = best[end].start
    }
    return parts.reversed()
  }
}

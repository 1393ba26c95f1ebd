/// Pieces of a vocabulary by their bytes and by their ids. It knows no text and no rule of merging.
///
/// Pieces are bytes, because Swift takes two spellings of one character for equal and vocabularies do not.
struct PieceTable: Sendable {
  private struct Row {
    let start: Int
    let count: Int
    var id: Int
  }

  private var blob: [UInt8] = []
  private var rows: [Row] = []
  /// Place in `rows`, plus one; 0 where nothing is. Their number is a power of two.
  private var slots: [Int32]
  private var rowOfID: [Int: Int] = [:]

  init(capacity: Int = 0) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = [Int32](repeating: 0, count: size)
    rows.reserveCapacity(capacity)
    rowOfID.reserveCapacity(capacity)
  }

  var count: Int { rows.count }
  /// The largest id; -1 when there is none.
  private(set) var largestID = -1

  /// Adds a piece, or gives one that is there another id; says whether it is new.
  @discardableResult
  mutating func insert(_ piece: [UInt8], id: Int) -> Bool {
    largestID = max(largestID, id)
    let slot = piece.withUnsafeBufferPointer { find($0) }
    if slots[slot] != 0 {
      let row = Int(slots[slot]) - 1
      rowOfID[rows[row].id] = nil
      rows[row].id = id
      rowOfID[id] = row
      return false
    }
    rows.append(Row(start: blob.count, count: piece.count, id: id))
    blob += piece
    slots[slot] = Int32(rows.count)
    rowOfID[id] = rows.count - 1
    if 2 * rows.count > slots.count { grow() }
    return true
  }

  func id(of piece: UnsafeBufferPointer<UInt8>) -> Int? {
    let row = slots[find(piece)]
    return row == 0 ? nil : rows[Int(row) - 1].id
  }

  func id(of piece: [UInt8]) -> Int? { piece.withUnsafeBufferPointer { id(of: $0) } }

  func piece(_ id: Int) -> [UInt8]? {
    rowOfID[id].map { Array(blob[rows[$0].start..<rows[$0].start + rows[$0].count]) }
  }

  /// All pieces with their ids, in the order in which they came.
  var all: [(piece: [UInt8], id: Int)] {
    rows.map { (Array(blob[$0.start..<$0.start + $0.count]), $0.id) }
  }

  /// The slot that holds the piece, or the free one where it belongs.
  private func find(_ piece: UnsafeBufferPointer<UInt8>) -> Int {
    var slot = Self.hash(piece) & (slots.count - 1)
    while slots[slot] != 0, !holds(rows[Int(slots[slot]) - 1], piece) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func holds(_ row: Row, _ piece: UnsafeBufferPointer<UInt8>) -> Bool {
    guard row.count == piece.count else { return false }
    for index in 0..<row.count where blob[row.start + index] != piece[index] { return false }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: 2 * slots.count)
    for (index, row) in rows.enumerated() {
      var slot = blob.withUnsafeBufferPointer {
        Self.hash(UnsafeBufferPointer(rebasing: $0[row.start..<row.start + row.count]))
      }
      slot &= slots.count - 1
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(index + 1)
    }
  }

  private static func hash(_ piece: UnsafeBufferPointer<UInt8>) -> Int {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in piece { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    state ^= state >> 32
    return Int(truncatingIfNeeded: state)
  }
}

import MILEngine

/// Writes who may look at whom into a mask [1, 1, columns, length], and remembers what stands there, so that
/// a step writes only what changed since the last one: one number, when a token is decoded.
///
/// Column s of a step at position p sees the cache's positions below p and the new columns up to s. A column
/// without a token sees itself alone: a row that sees nothing has no softmax.
final class MaskWriter {
  private let storage: any TensorStorage
  private let scope: MaskScope
  private let blocked: UInt32
  /// What the memory holds: rows in use, and positions that these see. Before the first call: nothing.
  private var count = 0
  private var position = 0
  private var isWritten = false

  /// `isHalf`: the device computes in fp16, where -1e9 would be infinite.
  init(_ scope: MaskScope, into storage: any TensorStorage, isHalf: Bool) {
    self.storage = storage
    self.scope = scope
    let isNarrow = storage.layout.dtype == .fp16
    let value: Float = isNarrow || isHalf ? -10_000 : -1e9
    blocked = isNarrow ? 0xF0E2 : value.bitPattern
  }

  /// `count` columns hold tokens, the first of them at `position`.
  func write(position: Int, count: Int) throws(OrionError) {
    if isWritten && count == self.count && (scope == .new || position == self.position) { return }
    let wasWritten = isWritten
    // Until all is written, nothing is known of the memory.
    isWritten = false
    try storage.withAddress { address throws(OrionError) in
      if !wasWritten { writeAll(address) }
      switch scope {
      case .cache: writeCache(address, position, count)
      case .new: writeNew(address, count)
      }
    }
    isWritten = true
    self.count = count
    self.position = position
  }

  private func writeAll(_ address: UnsafeMutableRawPointer) {
    count = 0
    position = 0
    let columns = storage.layout.shape[2]
    for row in 0..<columns {
      fill(address, row, 0..<storage.layout.shape[3], isOpen: false)
      if scope == .new { fill(address, row, row..<row + 1, isOpen: true) }
    }
  }

  private func writeCache(_ address: UnsafeMutableRawPointer, _ position: Int, _ count: Int) {
    for row in 0..<max(count, self.count) {
      let before = row < self.count ? self.position : 0
      let after = row < count ? position : 0
      if before < after {
        fill(address, row, before..<after, isOpen: true)
      } else {
        fill(address, row, after..<before, isOpen: false)
      }
    }
  }

  private func writeNew(_ address: UnsafeMutableRawPointer, _ count: Int) {
    for row in min(count, self.count)..<max(count, self.count) {
      fill(address, row, 0..<row, isOpen: row < count)
    }
  }

  private func fill(
    _ address: UnsafeMutableRawPointer, _ row: Int, _ range: Range<Int>, isOpen: Bool
  ) {
    let start = address + row * storage.layout.rowBytes
    let bits = isOpen ? 0 : blocked
    if storage.layout.dtype == .fp16 {
      let values = start.assumingMemoryBound(to: UInt16.self)
      for index in range { values[index] = UInt16(truncatingIfNeeded: bits) }
    } else {
      let values = start.assumingMemoryBound(to: UInt32.self)
      for index in range { values[index] = bits }
    }
  }
}

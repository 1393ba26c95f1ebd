import MILEngine

/// Writes who may look at whom into a mask [1, 1, columns, length], and remembers what stands there, so that
/// a step writes only what changed since the last one. It knows neither tokens nor positions.
final class MaskWriter {
  let scope: MaskScope
  private let storage: any TensorStorage
  private let blocked: UInt32
  /// What each row of the memory lets its column see, rising; nothing is known before the first call.
  private var seen: [[Range<Int>]] = []

  /// `isHalf`: the device computes in fp16, where -1e9 would be infinite.
  init(_ scope: MaskScope, into storage: any TensorStorage, isHalf: Bool) {
    self.storage = storage
    self.scope = scope
    let isNarrow = storage.layout.dtype == .fp16
    let value: Float = isNarrow || isHalf ? -10_000 : -1e9
    blocked = isNarrow ? 0xF0E2 : value.bitPattern
  }

  /// Column s < `count` sees the ranges `row(s)`, which rise. The others see themselves alone, among new
  /// columns, and nothing elsewhere.
  func write(_ count: Int, row: (Int) -> [Range<Int>]) throws(OrionError) {
    let known = seen
    // Until all is written, nothing is known of the memory.
    seen = []
    var written: [[Range<Int>]] = []
    try storage.withAddress { address throws(OrionError) in
      for column in 0..<storage.layout.shape[2] {
        let after =
          column < count ? row(column) : scope == .new ? [column..<column + 1] : []
        if known.isEmpty {
          fill(address, column, 0..<storage.layout.shape[3], isOpen: false)
          for range in after { fill(address, column, range, isOpen: true) }
        } else {
          change(address, column, from: known[column], to: after)
        }
        written.append(after)
      }
    }
    seen = written
  }

  private func change(
    _ address: UnsafeMutableRawPointer, _ row: Int, from before: [Range<Int>],
    to after: [Range<Int>]
  ) {
    var same = 0
    while same < before.count, same < after.count, before[same] == after[same] { same += 1 }
    if same + 1 == before.count, same < after.count,
      before[same].lowerBound == after[same].lowerBound,
      before[same].upperBound < after[same].upperBound
    {
      // The last range has grown, as when a token was appended.
      fill(address, row, before[same].upperBound..<after[same].upperBound, isOpen: true)
      same += 1
    }
    for range in before.dropFirst(same) { fill(address, row, range, isOpen: false) }
    for range in after.dropFirst(same) { fill(address, row, range, isOpen: true) }
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

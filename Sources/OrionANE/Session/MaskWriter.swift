import MILEngine

/// Writes who may look at whom into a mask [1, 1, columns, length], and remembers what stands there, so that
/// a step writes only what changed since the last one. It knows neither tokens nor positions.
final class MaskWriter {
  let scope: MaskScope
  private let storage: any TensorStorage
  private let blocked: UInt32
  /// What each row of the memory lets its column see, rising.
  private var seen: [[Range<Int>]]
  /// Nothing is known before the first call.
  private var isKnown = false
  /// What a row is to let its column see; swapped with what it let see before.
  private var next: [Range<Int>] = []

  /// `isHalf`: the device computes in fp16, where -1e9 would be infinite.
  init(_ scope: MaskScope, into storage: any TensorStorage, isHalf: Bool) {
    self.storage = storage
    self.scope = scope
    let isNarrow = storage.layout.dtype == .fp16
    let value: Float = isNarrow || isHalf ? -10_000 : -1e9
    blocked = isNarrow ? 0xF0E2 : value.bitPattern
    seen = Array(repeating: [], count: storage.layout.shape[2])
  }

  /// Column s < `count` sees the ranges that `look` appends to an empty list for it, which rise. The others see
  /// themselves alone, among new columns, and nothing elsewhere.
  func write(_ count: Int, look: (_ column: Int, _ ranges: inout [Range<Int>]) -> Void)
    throws(OrionError)
  {
    let wasKnown = isKnown
    // Until all is written, nothing is known of the memory.
    isKnown = false
    try storage.withAddress { address throws(OrionError) in
      for column in seen.indices {
        next.removeAll(keepingCapacity: true)
        if column < count {
          look(column, &next)
        } else if scope == .new {
          next.append(column..<column + 1)
        }
        if wasKnown {
          change(address, column, from: seen[column], to: next)
        } else {
          fill(address, column, 0..<storage.layout.shape[3], isOpen: false)
          for range in next { fill(address, column, range, isOpen: true) }
        }
        swap(&seen[column], &next)
      }
    }
    isKnown = true
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

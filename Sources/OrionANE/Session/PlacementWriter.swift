import MILEngine

/// Writes which slot of the cache each column takes into a tensor [1, 1, columns, slots], and remembers what
/// stands there. It knows neither tokens nor whose slots they are.
final class PlacementWriter {
  private let storage: any TensorStorage
  /// The slot of each column that has one; nothing is known before the first call.
  private var slots: Range<Int>?

  init(into storage: any TensorStorage) { self.storage = storage }

  /// Column s < `count` takes the slot `first` + s; the others take none.
  func write(_ count: Int, first: Int) throws(OrionError) {
    let after = first..<first + count
    if slots == after { return }
    let before = slots
    slots = nil
    try storage.withAddress { address throws(OrionError) in
      if let before {
        for (row, slot) in before.enumerated() { put(0, row, slot, address) }
      } else {
        for row in 0..<storage.layout.shape[2] {
          for slot in 0..<storage.layout.shape[3] { put(0, row, slot, address) }
        }
      }
      for (row, slot) in after.enumerated() { put(1, row, slot, address) }
    }
    slots = after
  }

  private func put(_ value: Float, _ row: Int, _ slot: Int, _ address: UnsafeMutableRawPointer) {
    let start = address + row * storage.layout.rowBytes
    if storage.layout.dtype == .fp16 {
      start.storeBytes(of: value == 0 ? 0 : 0x3C00, toByteOffset: slot * 2, as: UInt16.self)
    } else {
      start.storeBytes(of: value, toByteOffset: slot * 4, as: Float.self)
    }
  }
}

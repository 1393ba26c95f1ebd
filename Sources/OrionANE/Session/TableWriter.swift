import CKernels
import MILEngine

/// Writes rows of a table into the columns of a tensor [1, width, 1, columns], and remembers which columns
/// are in use, so that each call writes only what changes. It knows neither tokens nor positions.
final class TableWriter {
  /// What columns hold that no token uses.
  enum Rest {
    case zeros
    case rowZero
  }
  private let table: TableRows
  private let storage: any TensorStorage
  private let rest: Rest
  private let columns: Int
  /// Columns from here on hold `rest`.
  private var used: Int
  /// Rows that are written together, as fp32, and their numbers there.
  private let wide: UnsafeMutablePointer<Float>
  private let order: UnsafeMutablePointer<Int32>
  /// One row as the table has it.
  private let read: UnsafeMutableRawPointer
  private static let rowsTogether = 64

  init(_ table: TableRows, into storage: any TensorStorage, rest: Rest) {
    self.table = table
    self.storage = storage
    self.rest = rest
    columns = storage.layout.shape[3]
    used = columns
    let together = min(columns, TableWriter.rowsTogether)
    wide = .allocate(capacity: table.width * together)
    order = .allocate(capacity: together)
    read = .allocate(byteCount: max(table.rowBytes, 1), alignment: 64)
    for index in 0..<together { order[index] = Int32(index) }
  }

  deinit {
    wide.deallocate()
    order.deallocate()
    read.deallocate()
  }

  /// Column s < `count` gets row `row(s)`, which must be one of the table's; the others hold the rest.
  func write(_ count: Int, row: (Int) -> Int) throws(OrionError) {
    let known = used
    // Until all is written, nothing is known of the memory.
    used = columns
    try storage.withAddress { address throws(OrionError) in
      let changed = max(known, count)
      let written = rest == .rowZero ? changed : count
      for first in stride(from: 0, to: written, by: Self.rowsTogether) {
        let columns = first..<min(first + Self.rowsTogether, written)
        for column in columns {
          let source = try table.row(column < count ? row(column) : 0, in: read)
          if let source { widen(source, to: wide + (column - first) * table.width) }
        }
        put(columns, address)
      }
      PositionView(address, storage.layout, axis: 3).clear(written..<changed)
    }
    used = count
  }

  private func put(_ columns: Range<Int>, _ address: UnsafeMutableRawPointer) {
    let layout = storage.layout
    let target = orion_matrix(
      values: address + columns.lowerBound * layout.dtype.byteCount, row_bytes: layout.rowBytes,
      half: layout.dtype == .fp16)
    let rows = orion_matrix(
      values: wide, row_bytes: table.width * MemoryLayout<Float>.size, half: false)
    orion_embedding_gather(rows, table.width, order, columns.count, target)
  }

  private func widen(_ source: UnsafeRawPointer, to target: UnsafeMutablePointer<Float>) {
    let halves = source.assumingMemoryBound(to: UInt16.self)
    switch table.dtype {
    case .fp16: orion_f16_to_f32(halves, target, table.width)
    case .bf16: orion_bf16_to_f32(halves, target, table.width)
    default: target.update(from: source.assumingMemoryBound(to: Float.self), count: table.width)
    }
  }
}

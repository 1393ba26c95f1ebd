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
  /// One row as fp32, and one as the tensor's type.
  private let wide: UnsafeMutablePointer<Float>
  private let narrow: UnsafeMutablePointer<UInt16>

  init(_ table: TableRows, into storage: any TensorStorage, rest: Rest) {
    self.table = table
    self.storage = storage
    self.rest = rest
    columns = storage.layout.shape[3]
    used = columns
    wide = .allocate(capacity: table.width)
    narrow = .allocate(capacity: table.width)
  }

  deinit {
    wide.deallocate()
    narrow.deallocate()
  }

  /// Column s < `count` gets row `row(s)`, which must be one of the table's; the others hold the rest.
  func write(_ count: Int, row: (Int) -> Int) throws(OrionError) {
    let known = used
    // Until all is written, nothing is known of the memory.
    used = columns
    try storage.withAddress { address throws(OrionError) in
      for column in 0..<count { put(row(column), column, address) }
      for column in count..<max(known, count) {
        switch rest {
        case .zeros: clear(column, address)
        case .rowZero: put(0, column, address)
        }
      }
    }
    used = count
  }

  private func put(_ row: Int, _ column: Int, _ address: UnsafeMutableRawPointer) {
    guard let source = table.address(ofRow: row) else { return }
    let layout = storage.layout
    switch (table.dtype, layout.dtype) {
    case (.fp32, .fp32): scatter(source, UInt32.self, column, address)
    case (.fp16, .fp16): scatter(source, UInt16.self, column, address)
    case (_, .fp32): scatter(widened(source), UInt32.self, column, address)
    default:
      orion_f32_to_f16(widened(source).assumingMemoryBound(to: Float.self), narrow, table.width)
      scatter(UnsafeRawPointer(narrow), UInt16.self, column, address)
    }
  }

  private func widened(_ source: UnsafeRawPointer) -> UnsafeRawPointer {
    let halves = source.assumingMemoryBound(to: UInt16.self)
    switch table.dtype {
    case .fp16: orion_f16_to_f32(halves, wide, table.width)
    case .bf16: orion_bf16_to_f32(halves, wide, table.width)
    default: return source
    }
    return UnsafeRawPointer(wide)
  }

  private func scatter<T: FixedWidthInteger>(
    _ source: UnsafeRawPointer, _ type: T.Type, _ column: Int, _ address: UnsafeMutableRawPointer
  ) {
    let stride = storage.layout.rowBytes
    let values = source.assumingMemoryBound(to: type)
    var target = address + column * MemoryLayout<T>.size
    for channel in 0..<table.width {
      target.storeBytes(of: values[channel], as: type)
      target += stride
    }
  }

  private func clear(_ column: Int, _ address: UnsafeMutableRawPointer) {
    PositionView(address, storage.layout, axis: 3).clear(column..<column + 1)
  }
}

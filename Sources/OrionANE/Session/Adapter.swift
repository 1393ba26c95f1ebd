import CKernels
import MILEngine

/// A low-rank adapter in a session: its numbers, and the device's tensors that hold them once a step reads them.
/// It knows no sequence.
///
/// Tensors stay until the adapter goes, so that changing from one to another writes nothing.
public final class Adapter: @unchecked Sendable {
  // Only the session's one running call touches the tensors.
  /// Under which it is open.
  public let name: String
  let pairs: [String: AdapterFile.Pair]
  /// Which session it belongs to; `nil` for the one that stands for no adapter.
  let departures: Departures?
  private var storages: [Place: any TensorStorage] = [:]

  private struct Place: Hashable {
    let matrix: AdapterMatrix
    let layout: Layout
  }

  /// Adds nothing to any layer.
  static var none: Adapter { Adapter(name: "", pairs: [:], departures: nil) }

  init(name: String, pairs: [String: AdapterFile.Pair], departures: Departures?) {
    self.name = name
    self.pairs = pairs
    self.departures = departures
  }

  /// The tensor with a matrix as a program's input wants it; rows and columns beyond the adapter's rank, and
  /// modules that it does not change, are zero.
  func storage(of matrix: AdapterMatrix, _ layout: Layout, on backend: any Backend)
    throws(OrionError) -> any TensorStorage
  {
    let place = Place(matrix: matrix, layout: layout)
    if let storage = storages[place] { return storage }
    let storage = try backend.makeStorage(layout)
    if let pair = pairs[matrix.module] {
      try storage.withAddress { address throws(OrionError) in
        try write(pair, matrix, layout, address)
      }
    }
    storages[place] = storage
    return storage
  }

  /// Row i of the memory is column i of the file's matrix.
  private func write(
    _ pair: AdapterFile.Pair, _ matrix: AdapterMatrix, _ layout: Layout,
    _ address: UnsafeMutableRawPointer
  ) throws(OrionError) {
    let (values, rows, columns) =
      switch matrix.kind {
      case .a: (pair.a, layout.shape[1], pair.rank)
      case .b: (pair.b, pair.rank, layout.shape[3])
      }
    var row = [Float](repeating: 0, count: columns)
    for index in 0..<rows {
      for column in 0..<columns { row[column] = values[(matrix.first + column) * rows + index] }
      let target = address + index * layout.rowBytes
      if layout.dtype == .fp16 {
        if let large = row.first(where: { abs($0) >= 65_520 }) {
          throw OrionError(
            .file,
            "adapter \"\(name)\": \(matrix.module) holds \(large), which fp16 cannot; use it on cpu"
          )
        }
        orion_f32_to_f16(row, target.assumingMemoryBound(to: UInt16.self), columns)
      } else {
        target.assumingMemoryBound(to: Float.self).update(from: row, count: columns)
      }
    }
  }
}

import CKernels
import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The host's hand on device memory: locking, and copying positions along an axis. It knows no role.
extension TensorStorage {
  func withAddress<R>(_ body: (UnsafeMutableRawPointer) throws(OrionError) -> R)
    throws(OrionError) -> R
  {
    let address = try lock()
    do {
      let result = try body(address)
      try unlock()
      return result
    } catch {
      try? unlock()
      throw error
    }
  }
}

/// Runs `body` while all these tensors are locked, with their addresses in their order. `addresses` is only a place
/// to keep them, so that calls in a row need no new one.
func withAddresses(
  of storages: [any TensorStorage], in addresses: inout [UnsafeMutableRawPointer],
  _ body: ([UnsafeMutableRawPointer]) throws(OrionError) -> Void
) throws(OrionError) {
  addresses.removeAll(keepingCapacity: true)
  var failure: OrionError?
  do throws(OrionError) {
    for storage in storages { addresses.append(try storage.lock()) }
    try body(addresses)
  } catch {
    failure = error
  }
  for storage in storages[..<addresses.count] {
    do throws(OrionError) { try storage.unlock() } catch { failure = failure ?? error }
  }
  if let failure { throw failure }
}

/// A tensor's memory, seen as positions along one axis.
struct PositionView {
  let address: UnsafeMutableRawPointer
  let rowBytes: Int
  /// Products of the axes before and after; positions themselves are `length` long.
  private let outer: Int
  private let length: Int
  /// Rows of one position; 0 when the positions lie inside a row.
  private let rows: Int
  /// Bytes of one position in a row.
  private let bytes: Int
  /// Bytes of an element.
  private let element: Int

  init(_ address: UnsafeMutableRawPointer, _ layout: Layout, axis: Int) {
    let last = layout.shape.count - 1
    self.address = address
    rowBytes = layout.rowBytes
    outer = layout.shape[..<axis].reduce(1, *)
    length = layout.shape[axis]
    element = layout.dtype.byteCount
    if axis == last {
      rows = 0
      bytes = layout.dtype.byteCount
    } else {
      rows = layout.shape[(axis + 1)..<last].reduce(1, *)
      bytes = layout.shape[last] * layout.dtype.byteCount
    }
  }

  /// Copies positions `start`… of `source`, which has the same axes but for the length.
  func copy(_ count: Int, from source: PositionView, at start: Int, to target: Int) {
    pieces(count, from: source, at: start, to: target) { piece in
      withUnsafePointer(to: piece) { orion_copy_rows($0, 1) }
    }
  }

  /// Appends what `copy` would do to what is copied later, all at once.
  func append(
    _ copies: inout [orion_row_copy], _ count: Int, from source: PositionView, at start: Int,
    to target: Int
  ) {
    pieces(count, from: source, at: start, to: target) { copies.append($0) }
  }

  private func pieces(
    _ count: Int, from source: PositionView, at start: Int, to target: Int,
    _ body: (orion_row_copy) -> Void
  ) {
    guard (rows == 0) == (source.rows == 0) else {
      return turnedPieces(count, from: source, at: start, to: target, body)
    }
    if rows == 0 {
      body(
        orion_row_copy(
          source: source.address + start * bytes, source_step: source.rowBytes,
          target: address + target * bytes, target_step: rowBytes, rows: outer,
          bytes: count * bytes, turned: 0))
      return
    }
    for block in 0..<outer {
      let to = (block * length + target) * rows
      let from = (block * source.length + start) * rows
      body(
        orion_row_copy(
          source: source.address + from * source.rowBytes, source_step: source.rowBytes,
          target: address + to * rowBytes, target_step: rowBytes, rows: count * rows, bytes: bytes,
          turned: 0))
    }
  }

  /// Positions are columns on one side and rows on the other.
  private func turnedPieces(
    _ count: Int, from source: PositionView, at start: Int, to target: Int,
    _ body: (orion_row_copy) -> Void
  ) {
    let (side, first) = rows == 0 ? (source, start) : (self, target)
    let elements = side.bytes / element
    for block in 0..<side.outer {
      for row in 0..<side.rows {
        let place = ((block * side.length + first) * side.rows + row) * side.rowBytes
        let channel = (block * side.rows + row) * elements
        if rows == 0 {
          body(
            orion_row_copy(
              source: source.address + place, source_step: side.rows * side.rowBytes,
              target: address + channel * rowBytes + target * element, target_step: rowBytes,
              rows: count, bytes: side.bytes, turned: element))
        } else {
          body(
            orion_row_copy(
              source: source.address + channel * source.rowBytes + start * element,
              source_step: source.rowBytes, target: address + place,
              target_step: side.rows * side.rowBytes, rows: elements, bytes: count * element,
              turned: element))
        }
      }
    }
  }

  func clear(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    for block in 0..<outer {
      if rows == 0 {
        memset(address + block * rowBytes + range.lowerBound * bytes, 0, range.count * bytes)
      } else {
        let first = (block * length + range.lowerBound) * rows
        memset(address + first * rowBytes, 0, range.count * rows * rowBytes)
      }
    }
  }
}

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

  init(_ address: UnsafeMutableRawPointer, _ layout: Layout, axis: Int) {
    let last = layout.shape.count - 1
    self.address = address
    rowBytes = layout.rowBytes
    outer = layout.shape[..<axis].reduce(1, *)
    length = layout.shape[axis]
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
    if rows == 0, count * bytes == 4 {
      // What every decoded token does, thousands of times.
      var from = source.address + start * bytes
      var to = address + target * bytes
      for _ in 0..<outer {
        to.storeBytes(of: from.loadUnaligned(as: UInt32.self), as: UInt32.self)
        from += source.rowBytes
        to += rowBytes
      }
      return
    }
    if rows == 0 {
      for row in 0..<outer {
        memcpy(
          address + row * rowBytes + target * bytes,
          source.address + row * source.rowBytes + start * bytes, count * bytes)
      }
      return
    }
    for block in 0..<outer {
      let to = (block * length + target) * rows
      let from = (block * source.length + start) * rows
      for row in 0..<count * rows {
        memcpy(
          address + (to + row) * rowBytes, source.address + (from + row) * source.rowBytes, bytes)
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

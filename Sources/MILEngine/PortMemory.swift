/// Moves values between the caller's memory, with its own types and rows, and the engine's dense words.
import CKernels

extension Plan.Port {
  /// Elements of the last axis, which are dense.
  private var rowLength: Int { type.shape.last ?? 1 }
  var rows: Int { rowLength == 0 ? 0 : type.elementCount / rowLength }
  /// Bytes of a row in the caller's memory.
  var rowBytes: Int { rowLength * elementBytes }
  private var elementBytes: Int { (type.dtype.bitWidth ?? 8) / 8 }

  /// The caller's memory is what the steps would see.
  func canUse(_ memory: MemoryView) -> Bool {
    isWhole && !rounds && !hidesNaN && (type.dtype == .fp32 || type.dtype == .int32)
      && (rows <= 1 || memory.rowBytes == rowBytes) && Int(bitPattern: memory.address) % 4 == 0
  }

  /// The caller's addresses from first to last byte.
  func range(_ memory: MemoryView) -> Range<UInt> {
    let start = UInt(bitPattern: memory.address)
    let bytes = rows == 0 ? 0 : (rows - 1) * memory.rowBytes + rowBytes
    return start..<(start &+ UInt(bytes))
  }

  func read(_ memory: MemoryView, into target: UnsafeMutableRawPointer) {
    forEachRow(memory) { row, index, count in
      let target = target + 4 * index
      switch type.dtype {
      case .fp16:
        orion_f16_to_f32(
          row.assumingMemoryBound(to: UInt16.self), target.assumingMemoryBound(to: Float.self),
          count)
      case .fp32 where rounds:
        orion_round_f16(
          row.assumingMemoryBound(to: Float.self), target.assumingMemoryBound(to: Float.self),
          count)
      case .fp32, .int32: target.copyMemory(from: row, byteCount: 4 * count)
      default: widen(row, target.assumingMemoryBound(to: Int32.self), count)
      }
      guard hidesNaN else { return }
      let floats = target.assumingMemoryBound(to: Float.self)
      for index in 0..<count where floats[index].isNaN { floats[index] = .infinity }
    }
  }

  func write(_ source: UnsafeMutableRawPointer, into memory: MemoryView) {
    forEachRow(memory) { row, index, count in
      let source = source + 4 * index
      switch type.dtype {
      case .fp16:
        orion_f32_to_f16(
          source.assumingMemoryBound(to: Float.self), row.assumingMemoryBound(to: UInt16.self),
          count)
      case .fp32, .int32: row.copyMemory(from: source, byteCount: 4 * count)
      default: narrow(source.assumingMemoryBound(to: Int32.self), row, count)
      }
    }
  }

  /// Visits rows; all of them as one when they follow each other.
  private func forEachRow(
    _ memory: MemoryView, _ body: (UnsafeMutableRawPointer, _ index: Int, _ count: Int) -> Void
  ) {
    guard rows > 0 else { return }
    if rows == 1 || memory.rowBytes == rowBytes {
      return body(memory.address, 0, rows * rowLength)
    }
    for row in 0..<rows {
      body(memory.address + row * memory.rowBytes, row * rowLength, rowLength)
    }
  }

  private func widen(
    _ source: UnsafeMutableRawPointer, _ target: UnsafeMutablePointer<Int32>, _ count: Int
  ) {
    for index in 0..<count {
      let place = index * elementBytes
      target[index] =
        switch type.dtype {
        case .bool: source.load(fromByteOffset: place, as: UInt8.self) == 0 ? 0 : 1
        case .int8: Int32(source.load(fromByteOffset: place, as: Int8.self))
        case .uint8: Int32(source.load(fromByteOffset: place, as: UInt8.self))
        case .int16: Int32(source.loadUnaligned(fromByteOffset: place, as: Int16.self))
        default: Int32(source.loadUnaligned(fromByteOffset: place, as: UInt16.self))
        }
    }
  }

  private func narrow(
    _ source: UnsafeMutablePointer<Int32>, _ target: UnsafeMutableRawPointer, _ count: Int
  ) {
    for index in 0..<count {
      let place = index * elementBytes
      if elementBytes == 1 {
        target.storeBytes(
          of: UInt8(truncatingIfNeeded: source[index]), toByteOffset: place, as: UInt8.self)
      } else {
        target.storeBytes(
          of: UInt16(truncatingIfNeeded: source[index]), toByteOffset: place, as: UInt16.self)
      }
    }
  }
}

import Synchronization

/// A tensor's memory as a surface that the engine can map, and the framework's object around it.
final class SurfaceStorage: TensorStorage {
  let layout: Layout
  /// What a request holds.
  let object: ForeignObject
  private let surface: ForeignObject
  private let foreign: Foreign
  private let lockFlag = Atomic(false)

  /// Creates the surface: a row of the tensor is a row of the surface.
  init(_ layout: Layout, _ messenger: Messenger) throws(OrionError) {
    let foreign = messenger.foreign
    self.layout = layout
    self.foreign = foreign
    (surface, object) = try foreign.enter { () throws(OrionError) in
      let surface = try Self.makeSurface(layout, foreign)
      let object = try messenger.wrap(surface)
      return (surface, object)
    }
  }

  private static func makeSurface(_ layout: Layout, _ foreign: Foreign)
    throws(OrionError) -> ForeignObject
  {
    let constants = foreign.table.constants
    let sizes = [
      (constants.surfaceWidth, layout.shape.last ?? 1),
      (constants.surfaceHeight, layout.rowCount),
      (constants.surfaceBytesPerElement, layout.dtype.byteCount),
      (constants.surfaceBytesPerRow, layout.rowBytes),
      (constants.surfaceAllocSize, layout.byteCount),
      (constants.surfacePixelFormat, 0),
    ]
    var numbers: [ForeignObject] = []
    for (_, size) in sizes { numbers.append(try foreign.makeNumber(size)) }
    let properties = try foreign.makeDictionary(
      zip(sizes, numbers).map { ($0.0, $1.reference) })
    let call = "IOSurfaceCreate"
    let made = foreign.log.call(
      "\(call) width=\(layout.shape.last ?? 1) height=\(layout.rowCount)"
        + " bytesPerRow=\(layout.rowBytes) allocSize=\(layout.byteCount)",
      failure: nil, show: Shown.reference
    ) { foreign.table.surfaceCreate(properties.reference) }
    guard made != nil else {
      throw OrionError(
        .device,
        "tensor \(layout.text): \(call) returned nothing for \(layout.byteCount) bytes;"
          + " free tensors and try again")
    }
    let surface = try foreign.owned(made, by: call)
    let size = foreign.table.surfaceAllocSize(surface.reference)
    let row = foreign.table.surfaceBytesPerRow(surface.reference)
    guard size >= layout.byteCount, row == layout.rowBytes else {
      throw OrionError(
        .device,
        "tensor \(layout.text): \(call) made \(size) bytes with rows of \(row),"
          + " expected at least \(layout.byteCount) with rows of \(layout.rowBytes)")
    }
    return surface
  }

  var isLocked: Bool { lockFlag.load(ordering: .relaxed) }

  func lock() throws(OrionError) -> UnsafeMutableRawPointer {
    guard lockFlag.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else { throw TensorLock.alreadyLocked(layout) }
    do throws(OrionError) {
      return try foreign.enter { () throws(OrionError) in try lockSurface() }
    } catch {
      lockFlag.store(false, ordering: .releasing)
      throw error
    }
  }

  private func lockSurface() throws(OrionError) -> UnsafeMutableRawPointer {
    let table = foreign.table
    let reference = surface.reference
    try check("IOSurfaceLock") { table.surfaceLock(reference, 0, nil) }
    guard let address = table.surfaceAddress(reference) else {
      _ = table.surfaceUnlock(reference, 0, nil)
      throw OrionError(.device, "tensor \(layout.text): IOSurfaceGetBaseAddress returned nothing")
    }
    return address
  }

  func unlock() throws(OrionError) {
    guard isLocked else { throw TensorLock.notLocked(layout) }
    try foreign.enter { () throws(OrionError) in
      try check("IOSurfaceUnlock") { foreign.table.surfaceUnlock(surface.reference, 0, nil) }
    }
    lockFlag.store(false, ordering: .releasing)
  }

  /// Any code but 0 is a failure; the one that injection gives is the kernel's general error.
  private func check(_ call: String, _ body: () -> Int32) throws(OrionError) {
    let line = "\(call) \(Shown.reference(surface.reference))"
    let code = foreign.log.call(line, failure: Self.generalError, show: Shown.code, body)
    guard code == 0 else {
      throw OrionError(
        .device,
        "tensor \(layout.text): \(call) returned \(Shown.code(code)), expected 0")
    }
  }

  private static let generalError = Int32(bitPattern: 0xe000_02bc)
}

import Synchronization

/// A tensor's memory as a surface that the engine can map, and the framework's object around it.
final class SurfaceStorage: TensorStorage {
  /// A surface and what stands for it in a request.
  struct Mapped: Sendable {
    let surface: ForeignObject
    let object: ForeignObject
    let byteCount: Int
  }

  let layout: Layout
  private let mapped: Mutex<Mapped>
  private let messenger: Messenger
  private let foreign: Foreign
  private let lockFlag = Atomic(false)

  /// Creates the surface: a row of the tensor is a row of the surface.
  init(_ layout: Layout, _ messenger: Messenger) throws(OrionError) {
    let foreign = messenger.foreign
    self.layout = layout
    self.messenger = messenger
    self.foreign = foreign
    mapped = Mutex(try Self.map(layout, layout.byteCount, messenger))
  }

  /// The surface as it is now; what a request holds stays alive with it.
  var current: Mapped { mapped.withLock { $0 } }
  private var surface: ForeignObject { current.surface }

  private static func map(_ layout: Layout, _ byteCount: Int, _ messenger: Messenger)
    throws(OrionError) -> Mapped
  {
    try messenger.foreign.enter { () throws(OrionError) in
      let surface = try makeSurface(layout, byteCount, messenger.foreign)
      let object = try messenger.wrap(surface)
      return Mapped(surface: surface, object: object, byteCount: byteCount)
    }
  }

  /// Moves to a surface of at least `byteCount` bytes, which holds the same rows at its start.
  func grow(to byteCount: Int) throws(OrionError) {
    guard current.byteCount < byteCount else { return }
    let larger = try Self.map(layout, byteCount, messenger)
    let source = try lock()
    do throws(OrionError) {
      try foreign.enter { () throws(OrionError) in
        let target = try lockSurface(larger.surface)
        target.copyMemory(from: source, byteCount: layout.byteCount)
        try unlockSurface(larger.surface)
      }
    } catch {
      try? unlock()
      throw error
    }
    try unlock()
    mapped.withLock { $0 = larger }
  }

  private static func makeSurface(_ layout: Layout, _ byteCount: Int, _ foreign: Foreign)
    throws(OrionError) -> ForeignObject
  {
    let constants = foreign.table.constants
    let sizes = [
      (constants.surfaceWidth, layout.shape.last ?? 1),
      (constants.surfaceHeight, layout.rowCount),
      (constants.surfaceBytesPerElement, layout.dtype.byteCount),
      (constants.surfaceBytesPerRow, layout.rowBytes),
      (constants.surfaceAllocSize, byteCount),
      (constants.surfacePixelFormat, 0),
    ]
    var numbers: [ForeignObject] = []
    for (_, size) in sizes { numbers.append(try foreign.makeNumber(size)) }
    let properties = try foreign.makeDictionary(
      zip(sizes, numbers).map { ($0.0, $1.reference) })
    let call = "IOSurfaceCreate"
    let made = foreign.log.call(
      "\(call) width=\(layout.shape.last ?? 1) height=\(layout.rowCount)"
        + " bytesPerRow=\(layout.rowBytes) allocSize=\(byteCount)",
      failure: nil, show: Shown.reference
    ) { foreign.table.surfaceCreate(properties.reference) }
    guard made != nil else {
      throw OrionError(
        .device,
        "tensor \(layout.text): \(call) returned nothing for \(byteCount) bytes;"
          + " free tensors and try again")
    }
    let surface = try foreign.owned(made, by: call)
    let size = foreign.table.surfaceAllocSize(surface.reference)
    let row = foreign.table.surfaceBytesPerRow(surface.reference)
    guard size >= byteCount, row == layout.rowBytes else {
      throw OrionError(
        .device,
        "tensor \(layout.text): \(call) made \(size) bytes with rows of \(row),"
          + " expected at least \(byteCount) with rows of \(layout.rowBytes)")
    }
    return surface
  }

  var isLocked: Bool { lockFlag.load(ordering: .relaxed) }

  func lock() throws(OrionError) -> UnsafeMutableRawPointer {
    guard lockFlag.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else { throw TensorLock.alreadyLocked(layout) }
    do throws(OrionError) {
      return try foreign.enter { () throws(OrionError) in try lockSurface(surface) }
    } catch {
      lockFlag.store(false, ordering: .releasing)
      throw error
    }
  }

  private func lockSurface(_ surface: ForeignObject) throws(OrionError)
    -> UnsafeMutableRawPointer
  {
    let table = foreign.table
    let reference = surface.reference
    try check("IOSurfaceLock", surface) { table.surfaceLock(reference, 0, nil) }
    guard let address = table.surfaceAddress(reference) else {
      _ = table.surfaceUnlock(reference, 0, nil)
      throw OrionError(.device, "tensor \(layout.text): IOSurfaceGetBaseAddress returned nothing")
    }
    return address
  }

  func unlock() throws(OrionError) {
    guard isLocked else { throw TensorLock.notLocked(layout) }
    try foreign.enter { () throws(OrionError) in try unlockSurface(surface) }
    lockFlag.store(false, ordering: .releasing)
  }

  private func unlockSurface(_ surface: ForeignObject) throws(OrionError) {
    try check("IOSurfaceUnlock", surface) {
      foreign.table.surfaceUnlock(surface.reference, 0, nil)
    }
  }

  /// Any code but 0 is a failure; the one that injection gives is the kernel's general error.
  private func check(_ call: String, _ surface: ForeignObject, _ body: () -> Int32)
    throws(OrionError)
  {
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

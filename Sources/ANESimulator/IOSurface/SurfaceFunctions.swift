/// The functions and keys of the IOSurface library.

enum SurfaceFunctions {
  private typealias Size = @convention(c) (Pointer?) -> Int
  private typealias Locking =
    @convention(c) (Pointer?, UInt32, UnsafeMutablePointer<UInt32>?) -> Int32

  /// IOKit's "bad argument".
  private static let badArgument = Int32(bitPattern: 0xe000_02c2)
  private static let readOnly: UInt32 = 1

  private static let keys = [
    "Width", "Height", "BytesPerElement", "BytesPerRow", "AllocSize", "PixelFormat",
  ]

  static let symbols: [Symbol] =
    keys.map {
      Symbol("kIOSurface\($0)", constant: StringObject.constant("IOSurface\($0)"))
    } + [
      Symbol(
        "IOSurfaceCreate",
        { id in
          let call = Call("IOSurfaceCreate")
          guard let properties = call.object(id, as: "properties", DictionaryObject.self),
            let geometry = geometry(properties, call)
          else { return nil }
          if let daemon = ThreadState.current.world?.daemon,
            (try? daemon.meet(.map, "IOSurfaceCreate")) == nil
          {
            return nil
          }
          return Surface(geometry, world: ThreadState.current.world ?? properties.world)?.address
        } as CoreFoundation.One),
      Symbol(
        "IOSurfaceLock",
        { id, options, seed in
          let call = Call("IOSurfaceLock")
          guard let surface = call.object(id, as: "buffer", Surface.self) else {
            return badArgument
          }
          let current = surface.lock(readOnly: options & readOnly != 0)
          seed?.pointee = current
          return 0
        } as Locking),
      Symbol(
        "IOSurfaceUnlock",
        { id, options, seed in
          let call = Call("IOSurfaceUnlock")
          guard let surface = call.object(id, as: "buffer", Surface.self) else {
            return badArgument
          }
          guard let current = surface.unlock(readOnly: options & readOnly != 0) else {
            call.misuse(
              "surface \(surface.id) holds no lock of these options (\(options));"
                + " unlock once per lock, with its options",
              world: surface.world)
            return badArgument
          }
          seed?.pointee = current
          return 0
        } as Locking),
      Symbol(
        "IOSurfaceGetBaseAddress",
        { id in
          let call = Call("IOSurfaceGetBaseAddress")
          guard let surface = call.object(id, as: "buffer", Surface.self) else { return nil }
          if !surface.isLocked {
            call.misuse(
              "surface \(surface.id) is not locked; its bytes may be read and written only"
                + " between lock and unlock",
              world: surface.world)
          }
          return surface.memory
        } as CoreFoundation.One),
      Symbol(
        "IOSurfaceGetAllocSize",
        { id in
          geometry("IOSurfaceGetAllocSize", id)?.allocationBytes ?? 0
        } as Size),
      Symbol(
        "IOSurfaceGetBytesPerRow",
        { id in geometry("IOSurfaceGetBytesPerRow", id)?.bytesPerRow ?? 0 } as Size),
      Symbol("IOSurfaceGetWidth", { id in geometry("IOSurfaceGetWidth", id)?.width ?? 0 } as Size),
      Symbol(
        "IOSurfaceGetHeight", { id in geometry("IOSurfaceGetHeight", id)?.height ?? 0 } as Size),
      Symbol(
        "IOSurfaceGetID",
        { id in Call("IOSurfaceGetID").object(id, as: "buffer", Surface.self)?.id ?? 0 }
          as @convention(c) (Pointer?) -> UInt32),
    ]

  private static func geometry(_ name: String, _ id: Pointer?) -> Surface.Geometry? {
    Call(name).object(id, as: "buffer", Surface.self)?.geometry
  }

  /// Sizes that fit together, or `nil`: an absent row length follows from the width, an absent
  /// allocation from the rows, and an allocation must hold the rows.
  private static func geometry(_ properties: DictionaryObject, _ call: Call) -> Surface.Geometry? {
    var geometry = Surface.Geometry()
    guard let width = integer("Width", properties, call),
      let height = integer("Height", properties, call),
      let bytesPerElement = integer("BytesPerElement", properties, call),
      let bytesPerRow = integer("BytesPerRow", properties, call),
      let allocation = integer("AllocSize", properties, call),
      integer("PixelFormat", properties, call) != nil
    else { return nil }
    geometry.width = width ?? 0
    geometry.height = height ?? 1
    geometry.bytesPerElement = bytesPerElement ?? 1
    let (dense, rowOverflows) = geometry.width.multipliedReportingOverflow(
      by: geometry.bytesPerElement)
    geometry.bytesPerRow = bytesPerRow ?? dense
    let (rows, rowsOverflow) = geometry.bytesPerRow.multipliedReportingOverflow(
      by: geometry.height)
    geometry.allocationBytes = allocation ?? rows
    guard !rowOverflows, !rowsOverflow, geometry.bytesPerRow >= dense,
      geometry.allocationBytes >= rows, geometry.allocationBytes > 0
    else {
      call.misuse(
        "sizes do not fit together: \(geometry.width) x \(geometry.height) elements of"
          + " \(geometry.bytesPerElement) bytes, \(geometry.bytesPerRow) bytes per row,"
          + " \(geometry.allocationBytes) bytes in all", world: properties.world)
      return nil
    }
    return geometry
  }

  /// A size: `.some(nil)` when it is not given, `nil` after misuse.
  private static func integer(_ key: String, _ properties: DictionaryObject, _ call: Call) -> Int??
  {
    guard let object = properties.object("IOSurface\(key)") else { return .some(nil) }
    guard let number = (object as? NumberObject)?.integer, let value = Int(exactly: number),
      value >= 0
    else {
      call.misuse(
        "kIOSurface\(key) is \(object.descriptionText) of class \(object.className);"
          + " expected a CFNumber of 0 or more",
        world: properties.world)
      return nil
    }
    return value
  }
}

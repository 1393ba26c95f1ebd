/// _ANEIOSurfaceObject: a surface as an argument of a request.

final class SurfaceObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANEIOSurfaceObject" }

  let surface: Surface

  init(_ surface: Surface, isa: ObjectClass, world: World) {
    self.surface = surface.retained()
    super.init(isa: isa, world: world)
  }

  override func dispose() { surface.release() }
}

enum SurfaceObjectClass {
  static let row = ClassRow(
    name: "_ANEIOSurfaceObject", superclass: "NSObject",
    classMethods: [
      Method(
        "objectWithIOSurface:", "@@:^{__IOSurface=}",
        { receiver, _, surface in
          make(Call("+[_ANEIOSurfaceObject objectWithIOSurface:]"), receiver, surface)
        } as @convention(c) (Pointer?, Pointer?, Pointer?) -> Pointer?),
      Method(
        "objectWithIOSurface:startOffset:", "@@:^{__IOSurface=}@",
        { receiver, _, surface, _ in
          // The offset counts only for surfaces that were mapped beforehand.
          make(Call("+[_ANEIOSurfaceObject objectWithIOSurface:startOffset:]"), receiver, surface)
        } as @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?) -> Pointer?),
    ],
    instanceMethods: [
      Method(
        "ioSurface", "^{__IOSurface=}@:",
        { receiver, _ in
          Call("-[_ANEIOSurfaceObject ioSurface]")
            .object(receiver, as: "the receiver", SurfaceObject.self)?.surface.address
        } as @convention(c) (Pointer?, Pointer?) -> Pointer?)
    ])

  private static func make(_ call: Call, _ receiver: Pointer?, _ surface: Pointer?) -> Pointer? {
    guard let (cls, world) = call.home(receiver),
      let surface = call.object(surface, as: "the surface", Surface.self)
    else { return nil }
    return SurfaceObject(surface, isa: cls, world: world).autoreleased()
  }
}

import Testing

@testable import ANESimulator

struct SurfaceTests {
  let client: Client
  init() throws { client = try makeClient() }
  private typealias Locking = @convention(c) (ID?, UInt32, UnsafeMutablePointer<UInt32>?) -> Int32

  private func size(_ name: String, _ surface: ID?) throws -> Int {
    try client.function(name, as: (@convention(c) (ID?) -> Int).self)(surface)
  }

  @Test func flatSurfacesAreZeroedAndAligned() throws {
    let surface = try client.flatSurface(4096)
    try client.bytes(of: surface) { base in
      #expect(Int(bitPattern: base) % 4096 == 0)
      #expect((0..<4096).allSatisfy { base.load(fromByteOffset: $0, as: UInt8.self) == 0 })
    }
    #expect(try size("IOSurfaceGetAllocSize", surface) == 4096)
    #expect(try size("IOSurfaceGetBytesPerRow", surface) == 4096)
    try client.release(surface)
    #expect(client.world.livingObjects.isEmpty)
    #expect(client.world.misuse.isEmpty)
  }

  @Test func rowsMayBePadded() throws {
    let surface = try client.surface([
      ("Width", 20), ("Height", 8), ("BytesPerElement", 2), ("BytesPerRow", 64),
      ("AllocSize", 16_384),
    ])
    #expect(try size("IOSurfaceGetBytesPerRow", surface) == 64)
    #expect(try size("IOSurfaceGetAllocSize", surface) == 16_384)
  }

  @Test func sizesMustFit() throws {
    let tooSmall = try client.surface([("Width", 64), ("Height", 4), ("AllocSize", 100)])
    #expect(tooSmall == nil)
    let huge = try client.surface([("Width", Int.max), ("Height", Int.max)])
    #expect(huge == nil)
    #expect(client.world.misuse.count == 2)
    #expect(client.world.misuse.allSatisfy { $0.hasPrefix("IOSurfaceCreate: sizes do not fit") })
  }

  @Test func valuesMustBeNumbers() throws {
    let create = try client.function("IOSurfaceCreate", as: Client.One.self)
    let key = try client.constant("kIOSurfaceWidth")
    try client.retain(key)
    let wrong = try client.dictionary([(key, try client.string("64"))])
    #expect(create(wrong) == nil)
    #expect(client.world.misuse.count == 1)
    #expect(client.world.misuse[0].hasPrefix("IOSurfaceCreate: kIOSurfaceWidth is 64 of class"))
  }

  @Test func locksBalance() throws {
    let lock = try client.function("IOSurfaceLock", as: Locking.self)
    let unlock = try client.function("IOSurfaceUnlock", as: Locking.self)
    let surface = try client.flatSurface(64)
    var before: UInt32 = 0
    var after: UInt32 = 0
    #expect(lock(surface, 0, &before) == 0)
    #expect(unlock(surface, 0, nil) == 0)
    #expect(lock(surface, 1, &after) == 0)
    #expect(after == before + 1)
    #expect(unlock(surface, 0, nil) != 0)
    #expect(unlock(surface, 1, &before) == 0)
    #expect(before == after)
    #expect(unlock(surface, 1, nil) != 0)
    #expect(client.world.misuse.count == 2)
    let base = try client.function("IOSurfaceGetBaseAddress", as: Client.One.self)
    #expect(base(surface) != nil)
    #expect(client.world.misuse.last?.contains("is not locked") == true)
  }

  @Test func idsDiffer() throws {
    let id = try client.function("IOSurfaceGetID", as: (@convention(c) (ID?) -> UInt32).self)
    #expect(id(try client.flatSurface(64)) != id(try client.flatSurface(64)))
  }
}

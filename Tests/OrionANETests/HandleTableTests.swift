import Testing

@testable import OrionANE

@Suite struct HandleTableTests {
  final class Apple: HandleObject { static var handleKind: String { "apple" } }
  final class Pear: HandleObject { static var handleKind: String { "pear" } }

  @Test func givesBackWhatWasPutIn() throws {
    let table = HandleTable()
    let apple = Apple()
    let handle = table.insert(apple)
    #expect(handle != 0)
    #expect(try table.object(handle, as: Apple.self) === apple)
    try table.remove(handle, as: Apple.self)
    let error = #expect(throws: OrionError.self) { try table.object(handle, as: Apple.self) }
    #expect(error?.kind == .handle)
    #expect(error?.message.contains("already freed") == true)
  }

  @Test func aReusedPlaceHasAnotherHandle() throws {
    let table = HandleTable()
    let old = table.insert(Apple())
    try table.remove(old, as: Apple.self)
    let new = table.insert(Apple())
    #expect(new != old && new & 0xffff_ffff == old & 0xffff_ffff)
    #expect(throws: OrionError.self) { try table.object(old, as: Apple.self) }
    #expect(throws: OrionError.self) { try table.remove(old, as: Apple.self) }
    _ = try table.object(new, as: Apple.self)
  }

  @Test func otherKindsAreNamed() throws {
    let table = HandleTable()
    let handle = table.insert(Pear())
    let error = #expect(throws: OrionError.self) { try table.remove(handle, as: Apple.self) }
    #expect(error?.message.hasSuffix("expected a apple, got a pear") == true)
    _ = try table.object(handle, as: Pear.self)
  }

  @Test(arguments: [0, 1, .max, 1 << 32, 0xffff_ffff] as [UInt64])
  func strangersAreRefused(_ handle: UInt64) {
    let error = #expect(throws: OrionError.self) {
      try HandleTable().object(handle, as: Apple.self)
    }
    #expect(error?.kind == .handle)
  }

  @Test func manyThreads() async throws {
    let table = HandleTable()
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<500).allSatisfy { _ in
            let handle = table.insert(Apple())
            return (try? table.remove(handle, as: Apple.self)) != nil
          }
        }
      }
      for await ok in group { #expect(ok) }
    }
  }
}

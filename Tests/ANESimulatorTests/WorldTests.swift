import ANEProfiles
import Testing

@testable import ANESimulator

/// A client of a world of its own.
func makeClient(cache: String? = nil, profile: Profile = .standard) throws -> Client {
  let directory = try cache ?? temporaryDirectory()
  return Client(world: try World(profile: profile, cacheDirectory: directory))
}

struct WorldTests {
  @Test func absentSymbolsAreNil() throws {
    let client = try makeClient()
    #expect(client.world.symbol("objc_msgSend") == nil)
    #expect(client.world.symbol("CFNoSuchThing") == nil)
  }

  @Test func frameworkClassesNeedAWorld() throws {
    let client = try makeClient()
    let get = try client.function(
      "objc_getClass", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    #expect(get("_ANEQoSMapper") == nil)
    #expect(
      World.unboundMisuse.contains(
        "objc_getClass: _ANEQoSMapper is looked up on a thread that no world is bound to"))
    #expect(client.world.bind { get("_ANEQoSMapper") } != nil)
  }

  @Test func bindingsNest() throws {
    let (outer, inner) = (try makeClient(), try makeClient())
    let get = try outer.function(
      "objc_getClass", as: (@convention(c) (UnsafePointer<CChar>) -> ID?).self)
    try outer.world.bind { () throws in
      let mine = get("_ANEModel")
      #expect(inner.world.bind { get("_ANEModel") } != mine)
      #expect(get("_ANEModel") == mine)
    }
  }
}

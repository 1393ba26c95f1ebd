import ANEProfiles
import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A directory of its own below the system's temporary one.
func temporaryDirectory() throws -> String {
  var template = Array("/tmp/orion-simulator-XXXXXX".utf8CString)
  let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
  return String(cString: try #require(made))
}

func makeClient() throws -> Client {
  Client(world: try World(profile: .standard, cacheDirectory: try temporaryDirectory()))
}

/// A client of a world whose engine is the fake one.
func makeFakeClient(cache: String? = nil) throws -> Client {
  let directory = try cache ?? temporaryDirectory()
  return Client(
    world: try World(profile: .standard, cacheDirectory: directory, engine: FakeEngine()))
}

struct WorldTests {
  @Test func absentSymbolsAreNil() throws {
    let client = try makeClient()
    #expect(client.world.symbol("objc_msgSend") == nil)
    #expect(client.world.symbol("CFNoSuchThing") == nil)
  }
}

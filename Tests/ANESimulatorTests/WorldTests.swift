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

/// A client of a world of its own.
func makeClient(cache: String? = nil) throws -> Client {
  let directory = try cache ?? temporaryDirectory()
  return Client(world: try World(profile: .standard, cacheDirectory: directory))
}

struct WorldTests {
  @Test func absentSymbolsAreNil() throws {
    let client = try makeClient()
    #expect(client.world.symbol("objc_msgSend") == nil)
    #expect(client.world.symbol("CFNoSuchThing") == nil)
  }
}

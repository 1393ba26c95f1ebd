import Glibc
import Testing

@testable import OrionANE

@Suite struct CacheDirectoryTests {
  @Test func anUnwritableDirectoryIsNamed() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.file("file", [1])
    let error = #expect(throws: OrionError.self) { try CacheDirectory(file + "/cache") }
    #expect(error?.kind == .file)
    #expect(error?.message.contains(file + "/cache") == true)
    let plain = #expect(throws: OrionError.self) { try CacheDirectory(file) }
    #expect(plain?.message.contains("not a directory") == true)
  }

  @Test func isMadeWithWhatIsAboveIt() throws {
    let directory = try TemporaryDirectory()
    let cache = try CacheDirectory(directory.path + "/a/b//c/")
    #expect(FileSystem.isDirectory(cache.path))
  }

  @Test func listsItsRooms() throws {
    let directory = try TemporaryDirectory()
    try FileSystem.makeDirectory(directory.path + "/models/x", for: "test")
    try FileSystem.write("12345", to: directory.path + "/models/x/model.mil")
    let text = CacheContents.list(directory.path).text
    #expect(
      text
        == "[{\"kind\": \"models\", \"path\": \"\(directory.path)/models\", \"bytes\": 5, \"files\": 1}]"
    )
  }
}

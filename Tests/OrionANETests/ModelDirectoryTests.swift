import Glibc
import Testing

@testable import OrionANE

@Suite struct ModelDirectoryTests {
  let directory: TemporaryDirectory
  let caches: CacheDirectory
  let identity: FileIdentity
  let weights: String
  let hash: String

  init() throws {
    directory = try TemporaryDirectory()
    caches = try CacheDirectory(directory.path + "/cache")
    identity = FileIdentity(directory: caches.identities)
    weights = try directory.file("w", Array("weights".utf8))
    hash = try SHA256.hex(ofFile: weights)
  }

  private func make() throws -> ModelDirectory {
    try ModelDirectory(
      "key", ProgramSource(text: "text", weights: weights, function: "main"), weightsHash: hash,
      caches: caches, identity: identity)
  }

  private func modified(_ path: String) -> Int {
    var status = stat()
    stat(path, &status)
    return status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
  }

  @Test func holdsTextAndWeights() throws {
    let made = try make()
    #expect(FileSystem.read(made.path + "/model.mil") == "text")
    #expect(FileSystem.read(made.path + "/weights.bin") == "weights")
    #expect(FileSystem.names(in: made.path).sorted() == ["model.mil", "weights.bin"])
  }

  @Test func whatIsRightIsNotTouched() throws {
    let before = modified(try make().path)
    #expect(modified(try make().path) == before)
  }

  @Test(arguments: ["model.mil", "weights.bin"]) func whatIsDamagedIsReplaced(_ name: String) throws
  {
    let path = try make().path + "/" + name
    // As a second file: a hard link would damage the source, too.
    let bytes = try #require(TestFile.bytes(path))
    unlink(path)
    try #require(TestFile.write(bytes, to: path) && TestFile.flip(path))
    let damaged = TestFile.bytes(path)
    _ = try make()
    #expect(TestFile.bytes(path) == bytes && damaged != bytes)
  }

  @Test func aRepairLeavesNoOtherFile() throws {
    let path = try make().path
    // The weights are right: their new link is another name of the very file that is there.
    try #require(TestFile.flip(path + "/model.mil"))
    _ = try make()
    #expect(FileSystem.names(in: path).sorted() == ["model.mil", "weights.bin"])
  }
}

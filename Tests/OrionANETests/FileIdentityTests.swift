import Glibc
import Testing

@testable import OrionANE

@Suite struct FileIdentityTests {
  let directory: TemporaryDirectory
  let identity: FileIdentity

  init() throws {
    directory = try TemporaryDirectory()
    identity = FileIdentity(directory: directory.path + "/identity")
  }

  static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

  private func age(_ path: String, seconds: Int) {
    var times = [timespec(), timespec()]
    clock_gettime(CLOCK_REALTIME, &times[0])
    times[0].tv_sec -= seconds
    times[1] = times[0]
    utimensat(AT_FDCWD, path, &times, 0)
  }

  private var entries: [String] { TestFile.all(below: directory.path + "/identity") }

  @Test func hashesAndRemembers() throws {
    let path = try directory.file("abc", Array("abc".utf8))
    age(path, seconds: 10)
    #expect(try identity.hex(of: path, as: "weights") == Self.abc)
    #expect(entries.count == 1)
    #expect(try identity.hex(of: path, as: "weights") == Self.abc)
  }

  @Test func aFileChangedJustNowIsNotRemembered() throws {
    let path = try directory.file("abc", Array("abc".utf8))
    #expect(try identity.hex(of: path, as: "weights") == Self.abc)
    #expect(entries.isEmpty)
  }

  @Test func aChangedFileIsReadAgain() throws {
    let path = try directory.file("abc", Array("xyz".utf8))
    age(path, seconds: 20)
    let before = try identity.hex(of: path, as: "weights")
    try #require(TestFile.write(Array("abc".utf8), to: path))
    age(path, seconds: 10)
    #expect(before != Self.abc)
    #expect(try identity.hex(of: path, as: "weights") == Self.abc)
  }

  @Test func aDamagedEntryIsNotBelieved() throws {
    let path = try directory.file("abc", Array("abc".utf8))
    age(path, seconds: 10)
    _ = try identity.hex(of: path, as: "weights")
    for place in stride(from: 0, to: 140, by: 7) {
      let entry = try #require(entries.first)
      var bytes = try #require(TestFile.bytes(entry))
      guard place < bytes.count else { break }
      bytes[place] ^= 1
      try #require(TestFile.write(bytes, to: entry))
      #expect(try identity.hex(of: path, as: "weights") == Self.abc)
    }
  }

  @Test func sayWhatIsWrongWithAFile() {
    let missing = #expect(throws: OrionError.self) {
      try identity.hex(of: "/no/such/file", as: "weight file")
    }
    #expect(missing?.message.hasPrefix("weight file /no/such/file: cannot be read") == true)
    let folder = #expect(throws: OrionError.self) {
      try identity.hex(of: "/tmp", as: "weight file")
    }
    #expect(folder?.message.contains("not a file") == true)
  }
}

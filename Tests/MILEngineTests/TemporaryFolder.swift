/// A folder for one test, gone when the test is.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class TemporaryFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/orion-test-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
  }

  deinit { Self.remove(path) }

  @discardableResult
  func write(_ bytes: [UInt8], to name: String) -> String {
    let file = path + "/" + name
    guard let stream = fopen(file, "wb") else { return file }
    fwrite(bytes, 1, bytes.count, stream)
    fclose(stream)
    return file
  }

  private static func remove(_ path: String) {
    for name in SampleFiles.names(in: path) {
      let inner = path + "/" + name
      if unlink(inner) != 0 { remove(inner) }
    }
    rmdir(path)
  }
}

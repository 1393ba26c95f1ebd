/// Files of the tests: below one directory that goes when the process ends.

import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private let testRoot: String = {
  var template = Array("/tmp/orion-simulator-XXXXXX".utf8CString)
  let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
  atexit { removeTree(testRoot) }
  return made.map { String(cString: $0) } ?? ""
}()

/// A directory of its own.
func temporaryDirectory() throws -> String {
  try #require(!testRoot.isEmpty)
  var template = Array("\(testRoot)/XXXXXX".utf8CString)
  let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
  return String(cString: try #require(made))
}

func writeFile(_ path: String, _ text: String) {
  guard let file = fopen(path, "w") else { return }
  fputs(text, file)
  fclose(file)
}

/// What lies directly in a directory.
func names(in directory: String) -> [String] {
  guard let listing = opendir(directory) else { return [] }
  defer { closedir(listing) }
  var found: [String] = []
  while let entry = readdir(listing) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { found.append(name) }
  }
  return found.sorted()
}

private func removeTree(_ directory: String) {
  for name in names(in: directory) {
    let path = "\(directory)/\(name)"
    if Files.isDirectory(path) { removeTree(path) } else { unlink(path) }
  }
  rmdir(directory)
}

import MILEngine

/// Finds and reads the files that the tests of MILEngine share.
#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum SampleFiles {
  /// The folder of test data, or `nil` when this machine has none.
  static let data: String? = {
    let repository = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let fallback = "/" + repository + "/../shared/data"
    let folder = getenv("ORION_TEST_DATA").map { String(cString: $0) } ?? fallback
    return names(in: folder).isEmpty ? nil : folder
  }()

  /// Paths of the MIL files written by Apple's compiler; empty, and said aloud, without test data.
  static let mil: [String] = {
    guard let data else {
      print("skipped: no test data; set ORION_TEST_DATA")
      return []
    }
    return names(in: data + "/mil").filter { $0.hasSuffix(".mil") }.map { data + "/mil/" + $0 }
  }()

  static func names(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  static func bytes(of path: String) -> [UInt8] {
    guard let file = fopen(path, "rb") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  static func text(of path: String) -> String { String(decoding: bytes(of: path), as: UTF8.self) }
}

/// The diagnostics of a text that must not parse; empty when it does.
func syntaxFaults(_ text: String) -> [Diagnostic] {
  do {
    _ = try Parser.parse(text)
    return []
  } catch { return error.diagnostics }
}

/// A program of dialect 1.3 around the statements of one function.
func program(_ statements: String, inputs: String = "tensor<fp16, [1, 64, 1, 32]> x", out: String)
  -> String
{
  """
  program(1.3)
  {
      func main<ios18>(\(inputs)) {
  \(statements)
      } -> (\(out));
  }
  """
}

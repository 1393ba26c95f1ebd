/// Which files of a directory hold its vocabulary. It reads none.
enum TokenizerFiles: Equatable {
  case json(String)
  case llama2c(String)
  case pair(vocabulary: String, merges: String)
  case sentencePiece(String)

  /// What lies at `path`: a directory, or a file of it. The format that says most comes first; `nil` when there is none.
  static func find(_ path: String) throws(OrionError) -> (files: TokenizerFiles?, directory: String)
  {
    if FileSystem.isFile(path) {
      let place = path.utf8.lastIndex(of: 0x2F)
      let name = place.map { String(path[path.utf8.index(after: $0)...]) } ?? path
      let directory = place.map { String(path[..<$0]) } ?? "."
      if name == "tokenizer.json" { return (.json(path), directory) }
      if name.hasPrefix("tok"), name.hasSuffix(".bin") { return (.llama2c(path), directory) }
      if name.hasPrefix("tok"), name.hasSuffix(".model") {
        return (.sentencePiece(path), directory)
      }
      return (try inside(directory), directory)
    }
    guard FileSystem.isDirectory(path) else {
      throw OrionError(.file, "\(path): there is no such model directory or file")
    }
    return (try inside(path), path)
  }

  private static func inside(_ directory: String) throws(OrionError) -> TokenizerFiles? {
    func has(_ name: String) -> Bool { FileSystem.isFile(directory + "/" + name) }
    if has("tokenizer.json") { return .json(directory + "/tokenizer.json") }
    let bins = FileSystem.names(in: directory).filter {
      $0.hasPrefix("tok") && $0.hasSuffix(".bin")
    }.sorted()
    guard bins.count < 2 else {
      throw OrionError(
        .file,
        "\(directory): expected one tokenizer tok*.bin, found \(bins.count)"
          + " (\(bins.joined(separator: ", "))); leave one of them there")
    }
    if let bin = bins.first { return .llama2c(directory + "/" + bin) }
    if has("merges.txt") || (has("vocab.json") && !has("tokenizer.model")) {
      return .pair(
        vocabulary: directory + "/vocab.json", merges: directory + "/merges.txt")
    }
    return has("tokenizer.model") ? .sentencePiece(directory + "/tokenizer.model") : nil
  }
}

/// The weight files that a text names, and the files that stand for them: one file under whatever name the
/// text has for it, or the files of a directory. It does not read the text's grammar.
struct WeightLinks: Sendable {
  struct Link: Sendable {
    /// The path below the model's directory.
    let name: String
    /// The file that is linked there.
    let path: String
  }

  let links: [Link]

  /// Without a weight file there are no links; the text's reader complains where it needs one.
  init(_ source: ProgramSource) throws(OrionError) {
    guard let weights = source.weights else {
      links = []
      return
    }
    let names = Self.names(in: source.text)
    if FileSystem.isDirectory(weights) {
      links = names.map { Link(name: $0, path: "\(weights)/\($0)") }
      return
    }
    guard names.count <= 1 else {
      throw OrionError(
        .argument,
        "weights \(weights): one file came, but the text names \(names.count)"
          + " (\(names.joined(separator: ", "))); give the directory that holds them")
    }
    links = [Link(name: names.first ?? ModelDirectory.weightFile, path: weights)]
  }

  /// One hash over all files under their names; `nil` without files.
  func hash(_ identity: FileIdentity) throws(OrionError) -> String? {
    try hash(links, identity)
  }

  /// The hash of what stands under the names in a directory.
  func hash(in directory: String, _ identity: FileIdentity) throws(OrionError) -> String? {
    try hash(
      links.map { Link(name: $0.name, path: "\(directory)/\($0.name)") }, identity)
  }

  private func hash(
    _ links: [Link], _ identity: FileIdentity
  ) throws(OrionError) -> String? {
    var parts: [String] = []
    for link in links {
      parts += [link.name, try identity.hex(of: link.path, as: "weight file")]
    }
    // A single file under its usual name is known by itself.
    if links.count == 1, links[0].name == ModelDirectory.weightFile { return parts[1] }
    return parts.isEmpty ? nil : SHA256.hex(of: parts)
  }

  /// Every path after `"@model_path/`, once, in order; those that lead elsewhere are left to the checker.
  private static func names(in text: String) -> [String] {
    let mark = Array("\"@model_path/".utf8)
    var text = text
    return text.withUTF8 { bytes in
      var names: [String] = []
      var seen: Set<String> = []
      var start = 0
      while start + mark.count < bytes.count {
        guard bytes[start] == mark[0],
          bytes[start..<(start + mark.count)].elementsEqual(mark)
        else {
          start += 1
          continue
        }
        let first = start + mark.count
        let end = bytes[first...].firstIndex(of: mark[0]) ?? bytes.count
        let name = String(decoding: bytes[first..<end], as: UTF8.self)
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { !["", ".", ".."].contains($0) && !$0.contains("\0") }
        if isPlain, seen.insert(name).inserted { names.append(name) }
        start = end
      }
      return names
    }
  }
}

/// The scenes that the texts of Tests/filetests/check play on the simulator: comments before the program.
///
///     // sim m4-macos15 [with compiles_max=1 softmax-axis=error]
///     //   weights w.bin: 64 = 1 2 / 64 = 3     records of fp16 with that many elements, repeated
///     //   compile, load, unload                 one call of the framework
///     //   load fails: 0x20004                   … that must fail, with this in its error
///     //   fill x = 1 2                          what an input holds, repeated
///     //   bind declared                         surfaces in declared order, numbered from 0
///     //   rows 64                               the host puts rows at this multiple
///     //   size y = 128                          the bytes of a surface
///     //   share y = x                           one surface for both
///     //   route memory                          evaluate as the in-memory path does
///     //   surfaces                              makes them and keeps them
///     //   eval, eval fails: 0x1d
///     //   expect y = 3 4                        the first elements of an output
///     //   seconds > 0.01                        what the last call cost on the virtual clock
///     //   process                               a new process over the same cache
///     //   describe data empty = object          a descriptor of that text and those weights becomes so

import ANEProfiles
import MILEngine
import Testing

struct SceneText: Sendable {
  struct Line: Sendable {
    let number: Int
    /// What it does.
    let verb: String
    /// Everything between the verb and `=`, `:` or the end.
    let subject: String
    /// Behind `=` or `:`.
    let value: String
    /// The call must fail with this in its error.
    let failure: String?

    var numbers: [Float] { value.split(separator: " ").compactMap { Float(String($0)) } }
  }

  let profile: Profile
  let lines: [Line]

  static let folder =
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/filetests/check"

  static func all(in text: String) throws -> [SceneText] {
    var scenes: [SceneText] = []
    var profile: Profile?
    var lines: [Line] = []
    func close() {
      if let profile { scenes.append(SceneText(profile: profile, lines: lines)) }
      lines = []
    }
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if line.hasPrefix("// sim ") {
        close()
        profile = try named(line.dropFirst(7).split(separator: " ").map(String.init))
      } else if line.hasPrefix("//   "), profile != nil {
        lines.append(step(line.dropFirst(5), number: index + 1))
      } else {
        close()
        profile = nil
      }
    }
    close()
    return scenes
  }

  private static func step(_ text: Substring, number: Int) -> Line {
    let mark = " fails: "
    if let start = text.firstRange(of: mark) {
      return Line(
        number: number, verb: String(text[..<start.lowerBound]), subject: "", value: "",
        failure: String(text[start.upperBound...]))
    }
    let cut = text.firstIndex { "=:>".contains($0) } ?? text.endIndex
    let head = text[..<cut].split(separator: " ")
    return Line(
      number: number, verb: head.first.map(String.init) ?? "",
      subject: head.dropFirst().joined(separator: " "),
      value: trimmed(text[cut...].dropFirst()), failure: nil)
  }

  private static func trimmed(_ text: Substring) -> String {
    text.split(separator: " ").joined(separator: " ")
  }

  /// `m4-macos15 with compiles_max=1`.
  private static func named(_ words: [String]) throws -> Profile {
    var profile = try #require(Profile.reading(words.first ?? ""), "\(words)")
    for word in words.dropFirst(2) {
      let parts = word.split(separator: "=").map(String.init)
      let (key, value) = (parts[0], try #require(parts.last, "\(word)"))
      switch key {
      case "compiles_max": profile.limits.compilesMax = try #require(Int(value))
      case "loaded_programs_max": profile.limits.loadedProgramsMax = try #require(Int(value))
      case "queue_depth_max": profile.limits.queueDepthMax = try #require(Int(value))
      default:
        let severity = try #require(Severity(rawValue: value), "\(word)")
        profile.rules.removeAll { $0.id == key }
        profile.rules.append(ProfileRule(id: key, severity: severity))
      }
    }
    return profile
  }
}

extension Substring {
  fileprivate func firstRange(of mark: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(mark) { return start..<index(start, offsetBy: mark.count) }
      start = index(after: start)
    }
    return nil
  }
}

// The C interface's functions on MIL texts that need no device: what is wrong with them, and mending it.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import ANEProfiles
import COrionANE
import MILEngine

@c @implementation
public func orion_check(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ model_directory: UnsafePointer<CChar>?,
  _ profiles: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let given = try CheckArguments(mil, mil_bytes, model_directory, profiles)
    let json = try CArguments.required(json, "json")
    let check = TextCheck(
      utf8: given.text, modelDirectory: given.modelDirectory, profiles: given.profiles)
    try CArguments.give(JSONValue.array(check.findings.map(\.json)).text, json)
  }
}

@c @implementation
public func orion_fix(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ model_directory: UnsafePointer<CChar>?,
  _ profiles: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let given = try CheckArguments(mil, mil_bytes, model_directory, profiles)
    let json = try CArguments.required(json, "json")
    let text = try given.validText()
    let fixed = FixedText.fixing(
      text, modelDirectory: given.modelDirectory, profiles: given.profiles)
    let outcomes = fixed.outcomes.map { outcome -> JSONValue in
      [
        "rule": JSONValue(outcome.rule), "line": JSONValue(outcome.line),
        "title": JSONValue(outcome.title), "obstacle": outcome.obstacle.map { .string($0) } ?? nil,
      ]
    }
    let facts: JSONValue = ["text": JSONValue(fixed.text), "outcomes": .array(outcomes)]
    try CArguments.give(facts.text, json)
  }
}

@c @implementation
public func orion_shrink(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ judge: orion_judge?,
  _ context: UnsafeMutableRawPointer?,
  _ smaller: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let given = try CheckArguments(mil, mil_bytes, nil, nil)
    let smaller = try CArguments.required(smaller, "smaller")
    guard let judge else {
      throw OrionError(.argument, "judge: null; pass a function that says whether a text fails")
    }
    let text = try given.validText()
    let found: String
    do throws(DiagnosticList) {
      found = try Reducer.reduce(text) { candidate in
        let verdict = candidate.withCString { judge(context, $0, candidate.utf8.count) }
        return verdict < 0 ? nil : verdict > 0
      }
    } catch {
      throw OrionError(.program, error.text(file: "model.mil"))
    }
    try CArguments.give(found, smaller)
  }
}

@c @implementation
public func orion_expose(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ function: UnsafePointer<CChar>?,
  _ names: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let text = try CheckArguments(mil, mil_bytes, nil, nil).validText()
    let function = try CArguments.text(function, "function")
    let names = try CArguments.optionalText(names, "names")
    let json = try CArguments.required(json, "json")
    let exposure: Exposure?
    do throws(DiagnosticList) {
      exposure = try Exposure(
        text, function: function,
        names: names.map { Set($0.split(separator: ",").map(String.init)) }
      )
    } catch {
      throw OrionError(.program, error.text(file: "model.mil"))
    }
    guard let exposure else {
      throw OrionError(.program, "function \"\(function)\": the program has none of that name")
    }
    let results = exposure.results.map { result -> JSONValue in
      [
        "name": JSONValue(result.name), "op": JSONValue(result.op), "line": JSONValue(result.line),
      ]
    }
    let facts: JSONValue = ["text": JSONValue(exposure.text), "results": .array(results)]
    try CArguments.give(facts.text, json)
  }
}

/// The arguments that functions on MIL texts share.
struct CheckArguments {
  let text: [UInt8]
  let modelDirectory: String?
  let profiles: [Profile]

  init(
    _ mil: UnsafePointer<CChar>?, _ bytes: Int, _ directory: UnsafePointer<CChar>?,
    _ profiles: UnsafePointer<CChar>?
  ) throws(OrionError) {
    guard bytes >= 0 else {
      throw OrionError(.argument, "mil_bytes: \(bytes); pass the length of the text in bytes")
    }
    text = try CArguments.array(mil, count: bytes, "mil").map { UInt8(bitPattern: $0) }
    modelDirectory = try CArguments.optionalText(directory, "model_directory")
    let names = try CArguments.optionalText(profiles, "profiles")
    guard let names else {
      self.profiles = Profile.all.filter { $0.name != Profile.cpu.name }
      return
    }
    var found: [Profile] = []
    for name in names.split(separator: ",") {
      guard let profile = Profile.named(String(name)) else {
        let known = Profile.all.map(\.name).joined(separator: ", ")
        throw OrionError(
          .argument, "profiles: \"\(name)\" is unknown; expected some of \(known)")
      }
      found.append(profile)
    }
    self.profiles = found
  }

  func validText() throws(OrionError) -> String {
    guard let text = String(validating: text, as: UTF8.self) else {
      throw OrionError(.program, "mil: not UTF-8; save the text as UTF-8 first")
    }
    return text
  }
}

extension TextCheck.Finding {
  fileprivate var json: JSONValue {
    let start = diagnostic.span?.start
    let end = diagnostic.span?.end
    let rule = Rule.named(diagnostic.rule)
    return [
      "line": JSONValue(start?.line ?? 1), "column": JSONValue(start?.column ?? 1),
      "end_line": JSONValue(end?.line ?? 1), "end_column": JSONValue(end?.column ?? 1),
      "rule": JSONValue(diagnostic.rule), "severity": JSONValue(diagnostic.severity.rawValue),
      "message": JSONValue(diagnostic.message),
      "chips": JSONValue(rule?.chips ?? "all"),
      "evidence": JSONValue(rule?.evidence ?? "the definition of MIL"),
      "fix": diagnostic.fix?.json ?? nil,
      "profile": profile.map { .string($0) } ?? nil,
    ]
  }
}

extension Fix {
  fileprivate var json: JSONValue {
    [
      "title": JSONValue(title),
      "edits": .array(
        edits.map {
          [
            "offset": JSONValue($0.span.start.offset),
            "end_offset": JSONValue($0.span.end.offset), "text": JSONValue($0.text),
          ]
        }),
    ]
  }
}

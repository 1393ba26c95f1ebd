// The C interface's predictions of time and energy. The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import ANEProfiles
import COrionANE
import MILEngine

@c @implementation
public func orion_estimate(
  _ mil: UnsafePointer<CChar>?, _ mil_bytes: Int, _ model_directory: UnsafePointer<CChar>?,
  _ profiles: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let given = try CheckArguments(mil, mil_bytes, model_directory, profiles)
    let json = try CArguments.required(json, "json")
    let found: [TextEstimate]
    do throws(DiagnosticList) {
      found = try TextEstimate.estimates(
        utf8: given.text, modelDirectory: given.modelDirectory, profiles: given.profiles)
    } catch {
      throw OrionError(.program, error.text(file: "model.mil"))
    }
    try CArguments.give(JSONValue.array(found.map(\.json)).text, json)
  }
}

extension TextEstimate {
  fileprivate var json: JSONValue {
    [
      "profile": JSONValue(profile.name), "compile_seconds": .number(compileSeconds),
      "functions": .array(functions.map(\.json)),
    ]
  }
}

extension TextEstimate.Function {
  fileprivate var json: JSONValue {
    [
      "name": JSONValue(name), "seconds": .number(time.seconds),
      "dispatch_seconds": .number(time.dispatch), "products_seconds": .number(time.products),
      "memory_seconds": .number(time.memory), "passes_seconds": .number(time.passes),
      "joules": .number(time.joules), "bound": JSONValue(time.bound),
      "input_bytes": JSONValue(work.inputBytes), "output_bytes": JSONValue(work.outputBytes),
      "weight_bytes": JSONValue(work.streamedBytes), "ops": .array(work.ops.map(\.json)),
    ]
  }
}

extension OpWork {
  fileprivate var json: JSONValue {
    [
      "op": JSONValue(op), "name": JSONValue(name), "line": JSONValue(line),
      "kind": JSONValue(kind.rawValue), "amount": .number(amount),
      "result_bytes": JSONValue(resultBytes), "width": JSONValue(width),
      "largest_bytes": JSONValue(largestBytes),
    ]
  }
}

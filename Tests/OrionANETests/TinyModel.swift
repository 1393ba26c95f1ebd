import Testing

@testable import OrionANE

/// A model small enough to compute by hand, as a bundle: two layers of attention over an embedding and one
/// position table, a head in two tiles. What its programs compute is in `TinyBackend`.
struct TinyModel: Sendable {
  var dtype = "fp32"
  /// Of the tables; their numbers are exact in each.
  var tableType = "fp32"
  var profile = "cpu"
  var vocabulary = 11
  var context = 21
  var width = 4
  var layers = 2
  /// One program for each layer, or one for all.
  var isSplit = true
  /// Axis of the positions in caches: 3 in [1, C, 1, L], 2 in [1, 1, L, C].
  var cacheAxis = 3
  /// The same of new entries.
  var entryAxis = 3
  /// Programs take caches that are longer than they ask for.
  var takesLongerCaches = false
  var steps: [(columns: Int, cache: Int)] = [
    (4, 0), (8, 0), (1, 8), (1, 24), (4, 8), (4, 24), (8, 8), (8, 24),
  ]
  var headColumns = 4
  /// Steps place their new entries in the cache.
  var isPlaced = false

  /// Row r of the embedding, or of the position table.
  func embedding(_ token: Int) -> [Float] {
    (0..<width).map { Float((token * 7 + $0 * 3) % 16 - 8) / 8 }
  }
  func position(_ position: Int) -> [Float] {
    (0..<width).map { Float((position * 5 + $0 * 11) % 13 + 2) / 8 }
  }

  // MARK: - Manifest

  func manifest(files: [JSONMember]) -> JSONValue {
    let programs = steps.flatMap { layerPrograms($0) } + [headProgram]
    let stepRows = steps.map { step -> JSONValue in
      let names = layerPrograms(step).compactMap { $0["name"] }
      return [
        "columns": JSONValue(step.columns), "cache": JSONValue(step.cache),
        "programs": .array(names),
      ]
    }
    return [
      "format": 1, "generator": "tests", "profile": .string(profile), "model_type": "tiny",
      "vocabulary": JSONValue(vocabulary), "context": JSONValue(context), "begin_token": 1,
      "end_tokens": [2], "parameters": 100, "files": .object(files),
      "tables": [
        "embedding": [
          "offset": 64, "dtype": .string(tableType), "rows": JSONValue(vocabulary),
          "width": JSONValue(width),
        ],
        "positions": [
          "offset": JSONValue(positionsOffset), "dtype": .string(tableType),
          "rows": JSONValue(context),
          "width": JSONValue(width),
        ],
      ],
      "programs": .array(programs), "steps": .array(stepRows),
      "head": ["columns": JSONValue(headColumns), "programs": ["head"]],
    ]
  }

  private func layerPrograms(_ step: (columns: Int, cache: Int)) -> [JSONValue] {
    let groups = isSplit ? (0..<layers).map { [$0] } : [Array(0..<layers)]
    return groups.enumerated().map { index, group in
      var inputs: [JSONValue] = [
        index == 0
          ? port("x", [1, width, 1, step.columns], ["kind": "embedding", "table": "embedding"])
          : port("x", [1, width, 1, step.columns], ["kind": "hidden"]),
        port(
          "cos", [1, width, 1, step.columns], ["kind": "position_table", "table": "positions"]),
      ]
      inputs += masks(step)
      var outputs = [port("hidden", [1, width, 1, step.columns], ["kind": "hidden"])]
      for layer in group {
        for kind in ["key", "value"] {
          let role: JSONValue = ["layer": JSONValue(layer)]
          let letter = kind.prefix(1)
          if step.cache > 0 {
            inputs.append(
              entries(
                "\(letter)_cache_\(layer)", step.cache, role.with("kind", .string("\(kind)_cache")),
                cacheAxis))
          }
          outputs.append(
            entries(
              "\(letter)_new_\(layer)", step.columns, role.with("kind", .string("new_\(kind)")),
              entryAxis))
        }
      }
      let name = "layers\(isSplit ? "\(index)" : "")_s\(step.columns)_l\(step.cache)"
      return program(name, inputs, outputs)
    }
  }

  private func masks(_ step: (columns: Int, cache: Int)) -> [JSONValue] {
    let slots = [1, 1, step.columns, step.cache]
    let new = port(
      "mask_new", [1, 1, step.columns, step.columns], ["kind": "mask", "over": "new"])
    if step.cache == 0 { return [new] }
    if isPlaced {
      return [
        port("mask", slots, ["kind": "mask", "over": "slots"]),
        port("placement", slots, ["kind": "placement"]),
      ]
    }
    return [port("mask_cache", slots, ["kind": "mask", "over": "cache"]), new]
  }

  private var headProgram: JSONValue {
    let half = vocabulary / 2
    return program(
      "head", [port("x", [1, width, 1, headColumns], ["kind": "hidden"])],
      [
        port("logits_0", [1, half, 1, headColumns], ["kind": "logits", "first": 0]),
        port(
          "logits_1", [1, vocabulary - half, 1, headColumns],
          ["kind": "logits", "first": JSONValue(half)]),
      ])
  }

  private func program(_ name: String, _ inputs: [JSONValue], _ outputs: [JSONValue]) -> JSONValue {
    [
      "name": .string(name), "file": .string(name + ".mil"), "function": "main",
      "inputs": .array(inputs), "outputs": .array(outputs),
    ]
  }

  private func port(_ name: String, _ shape: [Int], _ role: JSONValue) -> JSONValue {
    ["name": .string(name), "dtype": .string(dtype), "shape": JSONValue(shape), "role": role]
  }

  private func entries(_ name: String, _ length: Int, _ role: JSONValue, _ axis: Int) -> JSONValue {
    let shape = axis == 3 ? [1, width, 1, length] : [1, 1, length, width]
    return port(name, shape, role.with("axis", JSONValue(axis)))
  }

  // MARK: - Weights

  private var positionsOffset: Int {
    128 + aligned(vocabulary * width * (tableType == "fp32" ? 4 : 2))
  }

  private func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }

  /// Two records in the layout of MIL's weight files.
  var weights: [UInt8] {
    var file = [UInt8](repeating: 0, count: 64)
    put(UInt32(2), 0, &file)
    put(UInt32(2), 4, &file)
    append((0..<vocabulary).flatMap { embedding($0) }, &file)
    append((0..<context).flatMap { position($0) }, &file)
    return file
  }

  private func append(_ values: [Float], _ file: inout [UInt8]) {
    let start = aligned(file.count)
    file += [UInt8](repeating: 0, count: start + 64 - file.count)
    put(UInt32(0xDEAD_BEEF), start, &file)
    let code: UInt32 = ["fp16": 1, "fp32": 2, "bf16": 5][tableType] ?? 0
    put(code, start + 4, &file)
    put(UInt64(values.count * (tableType == "fp32" ? 4 : 2)), start + 8, &file)
    put(UInt64(start + 64), start + 16, &file)
    for value in values {
      switch tableType {
      case "fp16": file += bytes(Float16(value).bitPattern)
      case "bf16": file += bytes(UInt16(value.bitPattern >> 16))
      default: file += bytes(value.bitPattern)
      }
    }
  }

  private func put<T: FixedWidthInteger>(_ value: T, _ offset: Int, _ file: inout [UInt8]) {
    file.replaceSubrange(offset..<offset + T.bitWidth / 8, with: bytes(value))
  }

  private func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}

extension JSONValue {
  /// The object with one more member in front.
  fileprivate func with(_ name: String, _ value: JSONValue) -> JSONValue {
    guard case .object(let members) = self else { return self }
    return .object([JSONMember(name, value)] + members)
  }

  /// The paths of all values inside, as `setting` takes them.
  var paths: [String] {
    switch self {
    case .array(let elements):
      return elements.enumerated().flatMap { index, element in
        ["[\(index)]"] + element.paths.map { "[\(index)].\($0)" }
      }
    case .object(let members):
      return members.flatMap { member in
        let name = member.name.replacing(".", with: "!")
        return [name] + member.value.paths.map { "\(name).\($0)" }
      }
    default: return []
    }
  }

  /// A copy in which the value at `path`, as `programs[0].inputs[1].name`, is replaced, or removed by `nil`.
  /// A dot inside a name is written `!`.
  func setting(_ path: String, to value: JSONValue?) -> JSONValue {
    let keys = path.split(whereSeparator: { ".[]".contains($0) }).map(String.init)
    return setting(keys[...], to: value) ?? .null
  }

  private func setting(_ keys: ArraySlice<String>, to value: JSONValue?) -> JSONValue? {
    guard let key = keys.first?.replacing("!", with: ".") else { return value }
    switch self {
    case .array(var elements):
      let index = Int(key) ?? 0
      if index == elements.count {
        if let value { elements.append(value) }
      } else if let new = elements[index].setting(keys.dropFirst(), to: value) {
        elements[index] = new
      } else {
        elements.remove(at: index)
      }
      return .array(elements)
    case .object(var members):
      if let index = members.firstIndex(where: { $0.name == key }) {
        if let new = members[index].value.setting(keys.dropFirst(), to: value) {
          members[index] = JSONMember(key, new)
        } else {
          members.remove(at: index)
        }
      } else if let value {
        members.append(JSONMember(key, value))
      }
      return .object(members)
    default: return value
    }
  }
}

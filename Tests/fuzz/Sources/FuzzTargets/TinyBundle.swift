@testable import MILEngine
@testable import OrionANE

/// A bundle of one layer over four channels, written once, so that calls on sessions have something to run.
struct TinyBundle {
  let profile: String
  let dtype: DType
  /// New tokens of a step, and its cache.
  let steps: [(columns: Int, cache: Int)]
  let context: Int

  static let vocabulary = 8
  private static let channels = 4

  static let cpu = TinyBundle(
    profile: "cpu", dtype: .fp32, steps: [(4, 0), (1, 12), (4, 12)], context: 12)
  static let engine = TinyBundle(
    profile: "m4-macos15", dtype: .fp16, steps: [(32, 0), (32, 64)], context: 40)

  /// The directory it lies in.
  func write(to directory: String) -> String {
    let table = (0..<Self.vocabulary * Self.channels).map { Float($0 % 7) / 8 - 0.25 }
    var blob = BlobWriter()
    let type = TensorType(.fp32, [Self.vocabulary, Self.channels])
    let offset = try? blob.append(
      type, table.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
    var files: [JSONMember] = []
    func add(_ name: String, _ bytes: [UInt8]) {
      let path = ScratchFile.write(bytes, to: "\(directory)/\(name)")
      let digest = (try? SHA256.hex(ofFile: path)) ?? ""
      files.append(
        JSONMember(name, ["bytes": JSONValue(bytes.count), "sha256": .string(digest)]))
    }
    add("weights.bin", blob.image)
    for step in steps { add(name(step) + ".mil", Array(layerText(step).utf8)) }
    add("head.mil", Array(headText.utf8))
    let manifest: JSONValue = [
      "format": 1, "profile": .string(profile), "model_type": "tiny",
      "vocabulary": JSONValue(Self.vocabulary), "context": JSONValue(context), "end_tokens": [7],
      "files": .object(files),
      "tables": [
        "embedding": [
          "offset": JSONValue(Int(offset ?? 0)), "dtype": "fp32",
          "rows": JSONValue(Self.vocabulary), "width": JSONValue(Self.channels),
        ]
      ],
      "programs": .array(
        steps.map { programRow(name($0), inputs($0), outputs($0)) } + [
          programRow("head", [headInput], [logits])
        ]),
      "steps": .array(
        steps.map {
          [
            "columns": JSONValue($0.columns), "cache": JSONValue($0.cache),
            "programs": [.string(name($0))],
          ]
        }),
      "head": ["columns": JSONValue(steps[0].columns), "programs": ["head"]],
    ]
    _ = ScratchFile.write(Array(manifest.text.utf8), to: "\(directory)/manifest.json")
    return "\(ScratchFile.directory)/\(directory)"
  }

  // MARK: - Rows

  private typealias Step = (columns: Int, cache: Int)
  private typealias PortRow = (name: String, shape: [Int], role: JSONValue)

  private func name(_ step: Step) -> String { "layer_s\(step.columns)_l\(step.cache)" }

  private func across(_ columns: Int) -> [Int] { [1, Self.channels, 1, columns] }

  private func inputs(_ step: Step) -> [PortRow] {
    let caches: [PortRow] = [
      ("k_cache", across(step.cache), ["kind": "key_cache", "layer": 0, "axis": 3]),
      (
        "mask_cache", [1, 1, step.columns, step.cache], ["kind": "mask", "over": "cache"]
      ),
    ]
    let new: [PortRow] = [
      ("mask_new", [1, 1, step.columns, step.columns], ["kind": "mask", "over": "new"])
    ]
    let values: [PortRow] = [
      ("v_cache", across(step.cache), ["kind": "value_cache", "layer": 0, "axis": 3])
    ]
    let tokens: [PortRow] = [
      ("x", across(step.columns), ["kind": "embedding", "table": "embedding"])
    ]
    return step.cache == 0 ? new + tokens : caches + new + values + tokens
  }

  private func outputs(_ step: Step) -> [PortRow] {
    [
      ("hidden", across(step.columns), ["kind": "hidden"]),
      ("k_new", across(step.columns), ["kind": "new_key", "layer": 0, "axis": 3]),
      ("v_new", across(step.columns), ["kind": "new_value", "layer": 0, "axis": 3]),
    ]
  }

  private var headInput: PortRow { ("x", across(steps[0].columns), ["kind": "hidden"]) }
  private var logits: PortRow {
    ("logits", [1, Self.vocabulary, 1, steps[0].columns], ["kind": "logits", "first": 0])
  }

  private func programRow(_ name: String, _ inputs: [PortRow], _ outputs: [PortRow]) -> JSONValue {
    func json(_ rows: [PortRow]) -> JSONValue {
      .array(
        rows.map {
          [
            "name": .string($0.name), "dtype": .string(dtype.rawValue),
            "shape": JSONValue($0.shape), "role": $0.role,
          ]
        })
    }
    return [
      "name": .string(name), "file": .string(name + ".mil"), "inputs": json(inputs),
      "outputs": json(outputs),
    ]
  }

  // MARK: - MIL

  private func type(_ shape: [Int]) -> String { "tensor<\(dtype.rawValue), \(shape)>" }

  private func layerText(_ step: Step) -> String {
    let x = type(across(step.columns))
    let column = type(across(1))
    var lines = ["\(x) k_new = add(x = x, y = x);", "\(x) v_new = mul(x = x, y = x);"]
    if step.cache == 0 {
      lines.append("\(x) hidden = tanh(x = x);")
    } else {
      lines += [
        "bool keep = const()[val = bool(true)];",
        "tensor<int32, [1]> axes = const()[val = tensor<int32, [1]>([3])];",
        "\(column) keys = reduce_sum(axes = axes, keep_dims = keep, x = k_cache);",
        "\(column) values = reduce_max(axes = axes, keep_dims = keep, x = v_cache);",
        "\(column) both = add(x = keys, y = values);",
        "\(x) shifted = add(x = x, y = both);",
        "\(x) hidden = tanh(x = shifted);",
      ]
    }
    return program(inputs(step), outputs(step), lines)
  }

  private var headText: String {
    let weight = type([Self.vocabulary, Self.channels, 1, 1])
    let rows = (0..<Self.vocabulary).map { row in
      "["
        + (0..<Self.channels).map { "[[\(Float((row * 3 + $0) % 5) / 4 - 0.5)]]" }
        .joined(separator: ", ") + "]"
    }
    return program(
      [headInput], [logits],
      [
        "tensor<int32, [2]> ones = const()[val = tensor<int32, [2]>([1, 1])];",
        "tensor<int32, [4]> none = const()[val = tensor<int32, [4]>([0, 0, 0, 0])];",
        "int32 one = const()[val = int32(1)];",
        "string valid = const()[val = string(\"valid\")];",
        "\(weight) w = const()[val = \(weight)([\(rows.joined(separator: ", "))])];",
        "\(type(logits.shape)) logits = conv(dilations = ones, groups = one, pad = none,"
          + " pad_type = valid, strides = ones, weight = w, x = x);",
      ])
  }

  private func program(_ inputs: [PortRow], _ outputs: [PortRow], _ lines: [String]) -> String {
    let parameters = inputs.map { "\(type($0.shape)) \($0.name)" }.joined(separator: ", ")
    return """
      program(1.3)
      {
        func main<ios18>(\(parameters)) {
          \(lines.joined(separator: "\n    "))
        } -> (\(outputs.map(\.name).joined(separator: ", ")));
      }

      """
  }
}

import MILEngine

@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One layer of attention and a head as MIL, written by hand: the smallest real model that a session can run on
/// every device. Keys and queries are turned by a position table, so that order matters.
struct AttentionModel {
  let profile: String
  let dtype: DType
  let steps: [(columns: Int, cache: Int)]
  let headColumns: Int
  /// New positions are placed in the cache.
  var isPlaced: Bool { profile != "cpu" }
  let vocabulary = 40
  let context = 96
  let channels = 32

  static let cpu = AttentionModel(
    profile: "cpu", dtype: .fp32,
    steps: [
      (8, 0), (32, 0), (96, 0), (1, 32), (1, 96), (8, 32), (8, 96), (32, 32), (32, 96),
    ], headColumns: 1)
  static let engine = AttentionModel(
    profile: "m4-macos15", dtype: .fp16,
    steps: [(32, 0), (64, 0), (96, 0), (32, 32), (32, 96)], headColumns: 32)

  private enum Weight: Int, CaseIterable {
    case query, key, value, output, head
  }

  /// Numbers from -1 to 1 that look random.
  private func numbers(_ count: Int, seed: UInt64, scale: Float) -> [Float] {
    var sequence = RandomSequence(seed: seed)
    return (0..<count).map { _ in Float(sequence.nextFraction() * 2 - 1) * scale }
  }

  private var embedding: [Float] { numbers(vocabulary * channels, seed: 1, scale: 1) }
  private var positions: [Float] { numbers(context * channels, seed: 2, scale: 1) }
  private func rows(_ weight: Weight) -> Int { weight == .head ? vocabulary : channels }
  private func numbers(_ weight: Weight) -> [Float] {
    numbers(rows(weight) * channels, seed: 10 + UInt64(weight.rawValue), scale: 0.4)
  }

  // MARK: - The bundle

  /// Writes the bundle; files are listed as they are written.
  func write(to directory: TemporaryDirectory) throws {
    var blob = BlobWriter()
    let table = TensorType(.fp32, [vocabulary, channels])
    let embeddingOffset = try blob.append(table, bytes(embedding, .fp32))
    let positionsOffset = try blob.append(
      TensorType(.fp32, [context, channels]), bytes(positions, .fp32))
    var offsets: [UInt64] = []
    for weight in Weight.allCases {
      let type = TensorType(dtype, [rows(weight), channels, 1, 1])
      offsets.append(try blob.append(type, bytes(numbers(weight), dtype)))
    }
    var files: [JSONMember] = []
    func add(_ name: String, _ bytes: [UInt8]) throws {
      _ = try directory.file(name, bytes)
      files.append(
        JSONMember(
          name, ["bytes": JSONValue(bytes.count), "sha256": .string(TinyBundle.digest(bytes))]))
    }
    try add("weights.bin", blob.image)
    for step in steps { try add(name(step) + ".mil", Array(layerText(step, offsets).utf8)) }
    try add("head.mil", Array(headText(offsets).utf8))
    let manifest: JSONValue = [
      "format": 1, "profile": .string(profile), "model_type": "attention",
      "vocabulary": JSONValue(vocabulary), "context": JSONValue(context), "end_tokens": [],
      "files": .object(files),
      "tables": [
        "embedding": tableRow(embeddingOffset, vocabulary),
        "positions": tableRow(positionsOffset, context),
      ],
      "programs": .array(steps.map(layerRow) + [headRow]),
      "steps": .array(
        steps.map {
          [
            "columns": JSONValue($0.columns), "cache": JSONValue($0.cache),
            "programs": [.string(name($0))],
          ]
        }),
      "head": ["columns": JSONValue(headColumns), "programs": ["head"]],
    ]
    _ = try directory.file("manifest.json", Array(manifest.text.utf8))
  }

  private func bytes(_ values: [Float], _ dtype: DType) -> [UInt8] {
    values.flatMap { value in
      dtype == .fp16
        ? withUnsafeBytes(of: Float16(value).bitPattern.littleEndian, Array.init)
        : withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
    }
  }

  private func tableRow(_ offset: UInt64, _ rows: Int) -> JSONValue {
    [
      "offset": JSONValue(Int(offset)), "dtype": "fp32", "rows": JSONValue(rows),
      "width": JSONValue(channels),
    ]
  }

  private func name(_ step: (columns: Int, cache: Int)) -> String {
    "layers_s\(step.columns)_l\(step.cache)"
  }

  private typealias PortRow = (name: String, shape: [Int], role: JSONValue)

  private func inputs(_ step: (columns: Int, cache: Int)) -> [PortRow] {
    let slots = [1, 1, step.columns, step.cache]
    let caches: [PortRow] = [
      ("k_cache", [1, channels, 1, step.cache], ["kind": "key_cache", "layer": 0, "axis": 3]),
      ("v_cache", [1, channels, 1, step.cache], ["kind": "value_cache", "layer": 0, "axis": 3]),
    ]
    let placed: [PortRow] = [
      ("mask_slots", slots, ["kind": "mask", "over": "slots"]),
      ("placement", slots, ["kind": "placement"]),
    ]
    let cacheMask: PortRow = ("mask_cache", slots, ["kind": "mask", "over": "cache"])
    let newMask: PortRow =
      ("mask_new", [1, 1, step.columns, step.columns], ["kind": "mask", "over": "new"])
    let columns: [PortRow] = [
      ("turn", self.columns(step), ["kind": "position_table", "table": "positions"]),
      ("x", self.columns(step), ["kind": "embedding", "table": "embedding"]),
    ]
    let seen = step.cache == 0 ? [newMask] : caches + (isPlaced ? placed : [cacheMask, newMask])
    return (columns + seen).sorted { $0.name < $1.name }
  }

  private func outputs(_ step: (columns: Int, cache: Int)) -> [PortRow] {
    [
      ("hidden", columns(step), ["kind": "hidden"]),
      ("k_new", columns(step), ["kind": "new_key", "layer": 0, "axis": 3]),
      ("v_new", columns(step), ["kind": "new_value", "layer": 0, "axis": 3]),
    ]
  }

  private func columns(_ step: (columns: Int, cache: Int)) -> [Int] {
    [1, channels, 1, step.columns]
  }

  private func layerRow(_ step: (columns: Int, cache: Int)) -> JSONValue {
    programRow(name(step), inputs(step), outputs(step))
  }

  private var headRow: JSONValue {
    programRow(
      "head", [("x", [1, channels, 1, headColumns], ["kind": "hidden"])],
      [("logits", [1, vocabulary, 1, headColumns], ["kind": "logits", "first": 0])])
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

  private func layerText(_ step: (columns: Int, cache: Int), _ offsets: [UInt64]) -> String {
    var text = MILText(dtype: dtype)
    let across = [1, channels, 1, step.columns]
    let rows = [1, 1, channels, step.columns]
    text.convolve("query_flat", "x", offsets[Weight.query.rawValue], channels, across)
    text.convolve("key_flat", "x", offsets[Weight.key.rawValue], channels, across)
    text.convolve("v_new", "x", offsets[Weight.value.rawValue], channels, across)
    text.add("query_turned", across, "mul(x = query_flat, y = turn)")
    text.add("k_new", across, "mul(x = key_flat, y = turn)")
    text.reshape("query", "query_turned", rows)
    text.reshape("new_keys", "k_new", rows)
    text.reshape("new_values", "v_new", rows)
    let mixed = attention(&text, step, rows)
    text.reshape("mixed", mixed, across)
    text.convolve("projected", "mixed", offsets[Weight.output.rawValue], channels, across)
    text.add("hidden", across, "add(x = x, y = projected)")
    return text.program(inputs(step).map { ($0.name, $0.shape) }, ["hidden", "k_new", "v_new"])
  }

  /// As the compiler writes it: new positions alone, placed in the cache, or beside the cache.
  private func attention(
    _ text: inout MILText, _ step: (columns: Int, cache: Int), _ rows: [Int]
  ) -> String {
    let new = (run: "new", shape: [1, 1, step.columns, step.columns])
    guard step.cache > 0 else {
      text.score("new", "new_keys", new.shape)
      text.add("weights", new.shape, "softmax(axis = last, x = new_scores)")
      text.mix("new", "new_values", "weights", rows)
      return "new_sum"
    }
    let cacheRows = [1, 1, channels, step.cache]
    let cache = (run: isPlaced ? "slots" : "cache", shape: [1, 1, step.columns, step.cache])
    text.reshape("cache_keys", "k_cache", cacheRows)
    text.reshape("cache_values", "v_cache", cacheRows)
    if isPlaced {
      for kind in ["keys", "values"] {
        text.add(
          "placed_\(kind)", cacheRows,
          "matmul(transpose_x = no, transpose_y = no, x = new_\(kind), y = placement)")
        text.add("all_\(kind)", cacheRows, "add(x = cache_\(kind), y = placed_\(kind))")
      }
      text.score("slots", "all_keys", cache.shape)
      text.add("weights", cache.shape, "softmax(axis = last, x = slots_scores)")
      text.mix("slots", "all_values", "weights", rows)
      return "slots_sum"
    }
    text.score("cache", "cache_keys", cache.shape)
    text.score("new", "new_keys", new.shape)
    text.joinSoftmax(cache, new)
    text.mix("cache", "cache_values", "cache_weights", rows)
    text.mix("new", "new_values", "new_weights", rows)
    text.add("sum", rows, "add(x = cache_sum, y = new_sum)")
    return "sum"
  }

  private func headText(_ offsets: [UInt64]) -> String {
    var text = MILText(dtype: dtype)
    text.convolve(
      "logits", "x", offsets[Weight.head.rawValue], channels, [1, vocabulary, 1, headColumns])
    return text.program([("x", [1, channels, 1, headColumns])], ["logits"])
  }

  // MARK: - The definition

  /// Logits after each of the tokens, in doubles.
  func logits(_ tokens: [Int32]) -> [[Double]] {
    func product(_ weight: Weight, _ x: [Double]) -> [Double] {
      let matrix = numbers(weight)
      return (0..<rows(weight)).map { row in
        (0..<channels).reduce(0) { $0 + Double(matrix[row * channels + $1]) * x[$1] }
      }
    }
    func row(_ table: [Float], _ index: Int) -> [Double] {
      table[index * channels..<(index + 1) * channels].map(Double.init)
    }
    let (words, places) = (embedding, positions)
    let x = tokens.map { row(words, Int($0)) }
    let turned = { (weight: Weight) in
      x.indices.map { place in
        zip(product(weight, x[place]), row(places, place)).map { $0 * $1 }
      }
    }
    let (queries, keys) = (turned(.query), turned(.key))
    let entries = x.map { product(.value, $0) }
    return x.indices.map { place in
      let scores = (0...place).map { other in
        zip(queries[place], keys[other]).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
      let total = weights.reduce(0, +)
      let mixed = (0..<channels).map { channel in
        weights.indices.reduce(0) { $0 + weights[$1] * entries[$1][channel] } / total
      }
      return product(.head, zip(x[place], product(.output, mixed)).map { $0 + $1 })
    }
  }
}

import Testing

@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Opening bundles: each field that can be wrong is one row.
@Suite struct BundleTests {
  @Test func readsTheFacts() throws {
    let tiny = try TinyBundle()
    let bundle = try tiny.open()
    let manifest = bundle.manifest
    #expect(manifest.modelType == "tiny")
    #expect(manifest.vocabulary == 11 && manifest.context == 21)
    #expect(manifest.beginToken == 1 && manifest.endTokens == [2])
    #expect(manifest.tables.map(\.name) == ["embedding", "positions"])
    #expect(manifest.steps.count == 8 && manifest.steps[3].programs.count == 2)
    let layer = manifest.programs[manifest.steps[2].programs[1]]
    #expect(
      layer.inputs.map(\.role) == [
        .hidden, .positionTable(table: "positions"), .mask(.cache), .mask(.new),
        .cache(CacheSlot(kind: .key, layer: 1), axis: 3),
        .cache(CacheSlot(kind: .value, layer: 1), axis: 3),
      ])
    #expect(manifest.programs[manifest.head.programs[0]].outputs[1].role == .logits(first: 5))
    #expect(try bundle.text(of: layer) == "layers1_s1_l8")
  }

  @Test func otherFactsAreOptional() throws {
    let tiny = try TinyBundle()
    try tiny.write(
      tiny.manifest.setting("begin_token", to: .null).setting("end_tokens", to: [])
        .setting("generator", to: nil).setting("a_later_fact", to: 1))
    let manifest = try tiny.open().manifest
    #expect(manifest.beginToken == nil && manifest.endTokens.isEmpty)
  }

  /// Path, value put there (`nil`: removed), and what the message must hold.
  static let faults: [(path: String, value: JSONValue?, parts: [String])] = [
    ("format", 2, ["format 2", "format 1"]), ("format", "1", ["format", "an integer"]),
    ("format", nil, ["\"format\"", "missing"]),
    ("profile", "m4-macos15", ["\"m4-macos15\"", "\"cpu\""]), ("profile", 3, ["profile"]),
    ("model_type", "", ["model_type", "not empty"]),
    ("vocabulary", 0, ["vocabulary", "from 1"]), ("vocabulary", 1.5, ["vocabulary", "1.5"]),
    ("vocabulary", .integer(1 << 40), ["vocabulary"]), ("vocabulary", 12, ["head", "11 of 12"]),
    ("vocabulary", 10, ["head", "11 of 10"]), ("context", -1, ["context"]),
    ("context", 25, ["tables.positions.rows"]),
    ("begin_token", 11, ["begin_token", "from 0 to 10"]),
    ("end_tokens", 2, ["end_tokens", "an array"]), ("end_tokens[0]", -1, ["end_tokens[0]"]),
    ("parameters", "many", ["parameters"]), ("files", [], ["files", "an object"]),
    ("files.weights!bin", nil, ["weights.bin"]),
    ("files.weights!bin.bytes", -1, ["files.weights.bin.bytes"]),
    ("files.weights!bin.bytes", 5, ["weights.bin", "expected 5 bytes"]),
    ("files.weights!bin.sha256", "abc", ["sha256", "64 hexadecimal"]),
    (
      "files.weights!bin.sha256", .string(String(repeating: "a", count: 64)),
      ["weights.bin", "damaged"]
    ),
    (
      "files.gone!mil", ["bytes": 1, "sha256": .string(String(repeating: "a", count: 64))],
      ["missing"]
    ),
    ("files.head!mil", nil, ["\"head.mil\"", "not listed"]),
    ("tables.embedding.offset", "64", ["tables.embedding.offset"]),
    ("tables.embedding.dtype", "int8", ["tables.embedding.dtype", "\"bf16\""]),
    ("tables.embedding.rows", 0, ["rows"]),
    ("tables.embedding.rows", 10, ["tables.embedding.rows", "needs 11 rows"]),
    ("tables.embedding.width", 5, ["inputs[0].shape"]),
    ("programs[0].name", "layers1_s4_l0", ["programs", "two programs", "layers1_s4_l0"]),
    ("programs[0].file", "gone.mil", ["programs[0].file", "gone.mil"]),
    ("programs[0].function", "", ["programs[0].function"]),
    ("programs[0].inputs[1].name", "x", ["two inputs or outputs", "\"x\""]),
    ("programs[0].inputs[0].dtype", "fp8", ["programs[0].inputs[0].dtype", "fp8"]),
    ("programs[0].inputs[0].dtype", "int32", ["programs[0].inputs[0].dtype"]),
    (
      "programs[0].inputs[0].shape", [1, 4, 1, 5], ["programs[0].inputs[0].shape", "[1, 4, 1, 4]"]
    ),
    ("programs[0].inputs[0].shape", [], ["shape", "axes"]),
    ("programs[0].inputs[0].shape", [1, 1, 1, 1, 1, 1, 1, 1, 1], ["shape", "9"]),
    ("programs[0].inputs[0].shape[0]", 0, ["shape[0]"]),
    (
      "programs[0].inputs[0].shape", [2_147_483_647, 2_147_483_647, 2_147_483_647],
      ["programs[0].inputs[0].shape", "elements"]
    ),
    ("programs[0].inputs[0].role", nil, ["programs[0].inputs[0]", "role"]),
    ("programs[0].inputs[0].role.kind", "gate", ["unknown role \"gate\"", "key_cache"]),
    (
      "programs[0].inputs[0].role", ["kind": "adapter", "module": "l", "matrix": "c"],
      ["role.matrix", "\"a\" or \"b\""]
    ),
    (
      "programs[0].inputs[1].role", ["kind": "adapter", "module": "l", "matrix": "a"],
      ["programs[0].inputs", "\"a\" and \"b\" of one rank"]
    ),
    (
      "programs[0].inputs[2].role",
      ["kind": "adapter", "module": "l", "matrix": "b", "first": -1], ["role.first"]
    ),
    ("programs[0].inputs[0].role.kind", "logits", ["belongs to an output"]),
    ("programs[0].outputs[0].role.kind", "embedding", ["belongs to an input"]),
    ("programs[0].inputs[0].role.table", "none", ["role.table", "\"none\""]),
    ("programs[0].inputs[0].role", ["kind": "hidden"], ["no program before"]),
    ("programs[0].inputs[2].role.over", "all", ["role.over", "\"new\""]),
    ("programs[0].inputs[2].role.over", "cache", ["without a cache"]),
    ("programs[0].inputs[2].shape", [1, 1, 4, 8], ["[1, 1, 4, 4]"]),
    ("programs[0].outputs[1].role.axis", 2, ["outputs[1].shape", "along axis 2"]),
    ("programs[0].outputs[1].role.axis", 5, ["role.axis", "no axis 5"]),
    ("programs[0].outputs[1].role.layer", -1, ["role.layer"]),
    ("programs[0].outputs[1].role.layer", 1, ["makes the key of layer 1 twice"]),
    ("programs[0].outputs[0].shape", [1, 4, 1, 8], ["outputs[0].shape"]),
    ("programs[0].outputs[0].shape", [1, 3, 1, 4], ["programs[1].inputs[0]", "[1, 3, 1, 4]"]),
    ("programs[1].inputs[0].dtype", "fp16", ["programs[1].inputs[0]", "hidden state"]),
    ("programs[0].outputs[1]", nil, ["steps[1]", "key of layer 0", "steps[0] does not"]),
    ("programs[2].outputs[2]", nil, ["steps[1]", "does not make the value of layer 0"]),
    ("programs[4].inputs[4]", nil, ["steps[2]", "no program reads the cached key of layer 0"]),
    ("programs[4].inputs[4].shape", [1, 4, 1, 9], ["inputs[4].shape", "8 positions"]),
    ("programs[4].inputs[4].dtype", "fp16", ["programs[4].inputs[4]", "do not fit"]),
    ("programs[4].inputs[4].role.layer", 1, ["reads the key of layer 1"]),
    ("steps", [], ["steps", "at least one"]), ("steps[0].columns", 0, ["steps[0].columns"]),
    ("steps[0].cache", -1, ["steps[0].cache"]), ("steps[0].programs", [], ["at least one program"]),
    ("steps[0].programs[0]", "none", ["steps[0].programs[0]", "\"none\""]),
    ("steps[0].programs[1]", nil, ["steps[1]"]),
    ("steps[0].programs", ["head"], ["no program before"]),
    ("head.columns", 8, ["shape", "[1, 4, 1, 8]"]), ("head.programs", nil, ["head", "programs"]),
    ("head.programs[0]", "layers0_s4_l0", ["takes the hidden state alone"]),
    ("programs[16].outputs[1].role.first", 4, ["role.first", "expected 5", "got 4"]),
    ("programs[16].outputs[0].role", ["kind": "hidden"], ["logits alone"]),
    ("programs[16].inputs[0].dtype", "fp16", ["hidden state"]),
    ("programs[16].inputs[0].shape", [1], ["inputs[0].shape"]),
  ]

  @Test(arguments: faults)
  func refuses(_ row: (path: String, value: JSONValue?, parts: [String])) throws {
    let tiny = try TinyBundle()
    try tiny.write(tiny.manifest.setting(row.path, to: row.value))
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.kind == .file)
    for part in row.parts {
      #expect(error?.message.contains(part) == true, "\(row.path): \(error?.message ?? "")")
    }
  }

  @Test(
    arguments: [
      ("programs[2].inputs[3]", nil, ["programs[2].inputs[2]", "a placement and masks"]),
      ("programs[2].inputs[2].role.over", "cache", ["programs[2].inputs[2]", "a placement"]),
      (
        "programs[2].inputs[2]",
        [
          "name": "mask_new", "dtype": "fp32", "shape": [1, 1, 1, 1],
          "role": ["kind": "mask", "over": "new"],
        ], ["programs[2].inputs[2]", "a placement"]
      ),
      ("programs[2].inputs[2]", nil, ["steps[2]", "no mask is over its slots"]),
      ("programs[2].inputs[3].shape", [1, 1, 1, 24], ["inputs[3].shape", "[1, 1, 1, 8]"]),
      ("programs[0].inputs[2].role", ["kind": "placement"], ["without a cache"]),
      ("steps[7].cache", 20, ["20"]),
    ] as [(String, JSONValue?, [String])])
  func refusesHalfAPlacement(_ row: (path: String, value: JSONValue?, parts: [String])) throws {
    var model = TinyModel()
    (model.isPlaced, model.isSplit) = (true, false)
    let tiny = try TinyBundle(model)
    try tiny.write(tiny.manifest.setting(row.path, to: row.value))
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    for part in row.parts {
      #expect(error?.message.contains(part) == true, "\(row.path): \(error?.message ?? "")")
    }
  }

  /// New tokens take slots of the cache they are placed in, so that it must hold the whole context.
  @Test func refusesAPlacementWithoutASlotForTheLastToken() throws {
    for isPlaced in [false, true] {
      var model = TinyModel()
      (model.isPlaced, model.steps) = (isPlaced, [(4, 0), (4, 20)])
      let tiny = try TinyBundle(model)
      guard isPlaced else {
        _ = try tiny.open()
        continue
      }
      let error = #expect(throws: OrionError.self) { try tiny.open() }
      #expect(error?.message.contains("20 positions") == true)
    }
  }

  /// Puts every kind of value in the place of every value: each is read or refused, and none is a crash.
  @Test func survivesAnyValueAnywhere() throws {
    var model = TinyModel()
    model.steps = [(4, 0), (4, 24)]
    model.isSplit = false
    let manifest = try TinyBundle(model).manifest
    let values: [JSONValue] = [
      nil, true, -1, 0, 1, 3, .integer(.max), .integer(.min), 1e300, "", "x", "../x", [], [0], [[]],
      [:], ["kind": "hidden"], ["kind": "logits", "first": 0],
    ]
    var refused = 0
    for path in manifest.paths {
      for value in values {
        let root = ManifestField(manifest.setting(path, to: value), file: "manifest.json")
        do throws(OrionError) {
          let read = try Manifest(root, profile: "cpu")
          try ManifestChecks.check(read, root)
        } catch {
          refused += 1
          #expect(error.message.hasPrefix("manifest.json"))
        }
      }
    }
    #expect(refused > 1_000)
  }

  @Test func refusesACacheTooShortForTheContext() throws {
    var model = TinyModel()
    model.steps = [(4, 0), (4, 8)]
    let tiny = try TinyBundle(model)
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("8 positions") == true)
  }

  @Test(arguments: ["../weights.bin", "/etc/hostname", "a/../../b", "a//b", "./a", ""])
  func refusesPathsThatLeaveTheDirectory(_ name: String) throws {
    #expect(!Bundle.staysInside(name))
    let tiny = try TinyBundle()
    guard case .object(var files)? = tiny.manifest["files"] else { return }
    files.append(JSONMember(name, ["bytes": 1, "sha256": .string(TinyBundle.digest([]))]))
    try tiny.write(tiny.manifest.setting("files", to: .object(files)))
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("leaves the bundle's directory") == true)
  }

  @Test func refusesLinksThatLeaveTheDirectory() throws {
    let tiny = try TinyBundle()
    let other = try TinyBundle()
    unlink(tiny.path + "/head.mil")
    symlink(other.path + "/head.mil", tiny.path + "/head.mil")
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("a link that leaves") == true)
  }

  @Test func refusesAChangedFile() throws {
    let tiny = try TinyBundle()
    var weights = model.weights
    weights[200] ^= 1
    try tiny.write("weights.bin", weights)
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("weights.bin: damaged") == true)
  }

  @Test func namesLineAndColumnOfTextThatIsNotJSON() throws {
    let tiny = try TinyBundle()
    try tiny.write("manifest.json", Array("{\n \"format\": }".utf8))
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("manifest.json:2:12: not JSON") == true)
  }

  @Test func refusesADirectoryThatIsNone() throws {
    let tiny = try TinyBundle()
    for path in [tiny.path + "/none", tiny.path + "/manifest.json"] {
      let error = #expect(throws: OrionError.self) {
        try Bundle(directory: path, profile: "cpu") { _ in "" }
      }
      #expect(error?.message.contains("not a directory") == true)
    }
    unlink(tiny.path + "/manifest.json")
    let error = #expect(throws: OrionError.self) { try tiny.open() }
    #expect(error?.message.contains("manifest.json: cannot be opened") == true)
  }

  private var model: TinyModel { TinyModel() }
}

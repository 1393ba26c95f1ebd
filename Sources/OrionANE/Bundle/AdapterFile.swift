/// Reads an adapter in PEFT's form: adapter_config.json and adapter_model.safetensors in a directory. It knows no
/// device.
struct AdapterFile: Sendable {
  static let configName = "adapter_config.json"
  static let tensorsName = "adapter_model.safetensors"
  /// Part of every tensor's name, before the module's.
  private static let prefix = "base_model.model."
  /// Fields that change the numbers, with the values that are carried out. A and B that began in other ways hold a
  /// part of the model's own weights.
  private static let fixed: [String: [JSONValue]] = [
    "init_lora_weights": [true, false, "gaussian", "orthogonal", "eva"], "use_dora": [false],
    "bias": ["none"], "rank_pattern": [[:]], "alpha_pattern": [[:]], "modules_to_save": [[]],
    "lora_bias": [false],
  ]
  /// Fields that are read here, or that the tensors speak for, or that say how it was trained.
  private static let harmless: Set<String> = [
    "peft_type", "r", "lora_alpha", "use_rslora", "lora_dropout", "base_model_name_or_path",
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
    "auto_mapping", "peft_version", "revision", "task_type", "inference_mode",
    "fan_in_fan_out", "megatron_config", "megatron_core", "runtime_config",
    "loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config",
    "qalora_group_size", "ensure_weight_tying",
  ]
  /// Values that ask for nothing.
  private static let nothing: [JSONValue] = [nil, false, 0, "", [], [:]]

  /// What is added to one linear layer: `b` x `a`, the scale in `b`.
  struct Pair: Sendable {
    let rank: Int
    /// [rank, inputs], row-major.
    var a: [Float] = []
    /// [outputs, rank], row-major, times the scale.
    var b: [Float] = []
  }
  let pairs: [String: Pair]

  /// Reads the adapter in `directory`, all of which must fit into `slots`.
  init(directory: String, slots: AdapterSlots) throws(OrionError) {
    let scale = try AdapterFile.scale(directory + "/" + AdapterFile.configName)
    let path = directory + "/" + AdapterFile.tensorsName
    let file = try Safetensors(path: path)
    guard !file.tensors.isEmpty else { throw OrionError(.file, "\(path): holds no tensors") }
    var pairs: [String: Pair] = [:]
    for tensor in file.tensors {
      guard let (module, kind) = AdapterFile.place(of: tensor.name) else {
        throw OrionError(
          .file,
          "\(path): tensor \(tensor.name) is no matrix of a low-rank adapter; expected names as"
            + " \(AdapterFile.prefix)MODULE.lora_A.weight")
      }
      guard let slot = slots.slots[module] else {
        throw OrionError(
          .file,
          "\(path): tensor \(tensor.name): the bundle takes no adapter at \(module), only at"
            + " \(slots.targets.joined(separator: ", ")); compile it for this adapter, which is of"
            + " another model otherwise")
      }
      let rank = try AdapterFile.rank(of: tensor, kind, slot, path)
      var pair = pairs[module] ?? Pair(rank: rank)
      guard pair.rank == rank else {
        throw OrionError(
          .file, "\(path): the two matrices of \(module) have ranks \(pair.rank) and \(rank)")
      }
      let values = try file.floats(tensor)
      switch kind {
      case .a: pair.a = values
      case .b: pair.b = values.map { $0 * scale }
      }
      pairs[module] = pair
    }
    for (module, pair) in pairs where pair.a.isEmpty || pair.b.isEmpty {
      throw OrionError(
        .file, "\(path): \(module) lacks its lora_\(pair.a.isEmpty ? "A" : "B") matrix")
    }
    self.pairs = pairs
  }

  private static func rank(
    of tensor: Safetensors.Tensor, _ kind: AdapterMatrix.Kind, _ slot: AdapterSlot, _ path: String
  ) throws(OrionError) -> Int {
    let fits =
      switch kind {
      case .a: tensor.shape.count == 2 && tensor.shape[1] == slot.inputs
      case .b: tensor.shape.count == 2 && tensor.shape[0] == slot.outputs
      }
    let expected = kind == .a ? "[rank, \(slot.inputs)]" : "[\(slot.outputs), rank]"
    guard fits else {
      throw OrionError(
        .file,
        "\(path): tensor \(tensor.name): expected the shape \(expected), got \(tensor.shape); the"
          + " adapter is of another model")
    }
    let rank = tensor.shape[kind == .a ? 0 : 1]
    guard (1...slot.rank).contains(rank) else {
      throw OrionError(
        .file,
        "\(path): tensor \(tensor.name): its rank is \(rank), the bundle takes 1 to \(slot.rank);"
          + " compile it with a larger adapter rank")
    }
    return rank
  }

  /// "base_model.model.M.lora_A.weight" and "….lora_A.default.weight" are matrix a of module M.
  private static func place(of name: String) -> (module: String, kind: AdapterMatrix.Kind)? {
    guard name.hasPrefix(prefix) else { return nil }
    for (kind, letter) in [(AdapterMatrix.Kind.a, "A"), (.b, "B")] {
      for ending in [".lora_\(letter).weight", ".lora_\(letter).default.weight"]
      where name.hasSuffix(ending) {
        return (String(name.dropFirst(prefix.count).dropLast(ending.count)), kind)
      }
    }
    return nil
  }

  /// What the product of the matrices is multiplied by: alpha / r, or alpha / sqrt(r) where the config asks so.
  private static func scale(_ path: String) throws(OrionError) -> Float {
    let bytes = try FileBytes.read(path, atMost: 1 << 20)
    let root: JSONValue
    do {
      root = try JSONReader.read(bytes)
    } catch {
      throw OrionError(
        .file, "\(path):\(error.line):\(error.column): not JSON: \(error.message)")
    }
    let config = ManifestField(root, file: path, remedy: "Export the adapter again")
    let kind = try config.required("peft_type")
    guard try kind.string() == "LORA" else { throw kind.fault(expected: "\"LORA\"") }
    try refuseUnknown(config)
    let rank = Double(try config.required("r").integer(1...Manifest.countMax))
    let alpha = try config.required("lora_alpha").number()
    let rooted = try config.optional("use_rslora")?.value == .bool(true)
    return Float(alpha / (rooted ? rank.squareRoot() : rank))
  }

  /// Names the first field that would change the numbers and is not carried out.
  private static func refuseUnknown(_ config: ManifestField) throws(OrionError) {
    guard case .object(let members) = config.value else { return }
    for member in members where !nothing.contains(member.value) && !harmless.contains(member.name) {
      guard let field = try config.optional(member.name) else { continue }
      guard let values = fixed[member.name] else {
        throw field.fault(
          expected: "none, since nothing is known of it here and what it changes would be missing")
      }
      guard !values.contains(member.value) else { continue }
      let expected = values.map(\.text).joined(separator: " or ")
      throw field.fault(expected: "\(expected), which is carried out")
    }
  }
}

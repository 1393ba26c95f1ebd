/// Reads an adapter in PEFT's form: adapter_config.json and adapter_model.safetensors in a directory. It knows no
/// device.
struct AdapterFile: Sendable {
  static let configName = "adapter_config.json"
  static let tensorsName = "adapter_model.safetensors"
  /// Part of every tensor's name, before the module's.
  private static let prefix = "base_model.model."
  /// Fields that change the numbers, with the values that are carried out.
  private static let fixed: [(name: String, value: JSONValue)] = [
    ("use_dora", .bool(false)), ("bias", .string("none")), ("rank_pattern", .object([])),
    ("alpha_pattern", .object([])), ("modules_to_save", .array([])), ("lora_bias", .bool(false)),
  ]

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
    for (name, value) in fixed {
      guard let field = try config.optional(name), field.value != value else { continue }
      throw field.fault(expected: "\(value.text), the one value that is carried out")
    }
    let rank = Double(try config.required("r").integer(1...Manifest.countMax))
    let alpha = try config.required("lora_alpha").number()
    let rooted = try config.optional("use_rslora")?.value == .bool(true)
    return Float(alpha / (rooted ? rank.squareRoot() : rank))
  }
}

/// What a program's input or output is for: all that a session knows of a model.

/// The role of one port.
enum Role: Sendable, Hashable {
  /// Column s holds the row of `table` that the token of column s names.
  case embedding(table: String)
  /// Column s holds the row of `table` that the position of column s names.
  case positionTable(table: String)
  /// What each new token may look at, as numbers added to its scores.
  case mask(MaskScope)
  /// Row s has a single 1, at the slot of the cache that the token of column s takes in this step.
  case placement
  /// Keys or values of earlier positions, along `axis`.
  case cache(CacheSlot, axis: Int)
  /// Keys or values of the new tokens, along `axis`.
  case newEntry(CacheSlot, axis: Int)
  /// Handed from each program to the next, and from the last one to the head.
  case hidden
  /// Channels `first`… of the vocabulary's logits.
  case logits(first: Int)
  /// A matrix of the adapter that the tokens are read with; zeros without one.
  case adapter(AdapterMatrix)
}

enum MaskScope: String, Sendable, Hashable, CaseIterable {
  /// Earlier positions, which lie in the cache.
  case cache
  /// The tokens of this step.
  case new
  /// All slots of the cache, the new tokens at those that `placement` gives them.
  case slots
}

/// A matrix of a low-rank adapter: `b` x (`a` x input) is added to what the linear layer `module` makes.
struct AdapterMatrix: Sendable, Hashable {
  enum Kind: String, Sendable, CaseIterable {
    /// [1, inputs, 1, rank]
    case a
    /// [1, rank, 1, outputs]
    case b
  }
  /// As the checkpoint names it: "model.layers.0.self_attn.q_proj".
  let module: String
  let kind: Kind
  /// Of `b`: the first of the module's outputs that the program makes.
  let first: Int
}

/// One thing a cache remembers of each position.
struct CacheSlot: Sendable, Hashable {
  enum Kind: String, Sendable {
    case key, value
  }
  let kind: Kind
  let layer: Int
}

/// One `kind` of the manifest's roles: where it may stand, and how its fields are read.
struct RoleRow: Sendable {
  enum Direction: String, Sendable {
    case input, output, both
  }
  let kind: String
  let direction: Direction
  let read: @Sendable (ManifestField) throws(OrionError) -> Role

  static let all: [RoleRow] = [
    RoleRow("embedding", .input) { field throws(OrionError) in
      .embedding(table: try field.required("table").string())
    },
    RoleRow("position_table", .input) { field throws(OrionError) in
      .positionTable(table: try field.required("table").string())
    },
    RoleRow("mask", .input) { field throws(OrionError) in .mask(try scope(field)) },
    RoleRow("placement", .input) { _ throws(OrionError) in .placement },
    RoleRow("key_cache", .input) { field throws(OrionError) in
      .cache(try slot(.key, field), axis: try axis(field))
    },
    RoleRow("value_cache", .input) { field throws(OrionError) in
      .cache(try slot(.value, field), axis: try axis(field))
    },
    RoleRow("new_key", .output) { field throws(OrionError) in
      .newEntry(try slot(.key, field), axis: try axis(field))
    },
    RoleRow("new_value", .output) { field throws(OrionError) in
      .newEntry(try slot(.value, field), axis: try axis(field))
    },
    RoleRow("hidden", .both) { _ throws(OrionError) in .hidden },
    RoleRow("logits", .output) { field throws(OrionError) in
      .logits(first: try field.required("first").integer(0...Manifest.countMax))
    },
    RoleRow("adapter", .input) { field throws(OrionError) in
      .adapter(
        AdapterMatrix(
          module: try field.required("module").string(), kind: try matrix(field),
          first: try field.optional("first")?.integer(0...Manifest.countMax) ?? 0))
    },
  ]

  init(
    _ kind: String, _ direction: Direction,
    read: @escaping @Sendable (ManifestField) throws(OrionError) -> Role
  ) {
    self.kind = kind
    self.direction = direction
    self.read = read
  }

  /// Reads the role of an input or output.
  static func role(_ field: ManifestField, of direction: Direction) throws(OrionError) -> Role {
    let kindField = try field.required("kind")
    let kind = try kindField.string()
    guard let row = all.first(where: { $0.kind == kind }) else {
      let known = all.map(\.kind).joined(separator: ", ")
      throw kindField.fault("unknown role \"\(kind)\"; this version carries out \(known)")
    }
    guard row.direction == direction || row.direction == .both else {
      throw kindField.fault(
        "the role \"\(kind)\" belongs to an \(row.direction.rawValue), not an \(direction.rawValue)"
      )
    }
    return try row.read(field)
  }

  private static func slot(_ kind: CacheSlot.Kind, _ field: ManifestField) throws(OrionError)
    -> CacheSlot
  {
    CacheSlot(kind: kind, layer: try field.required("layer").integer(0...65_535))
  }

  private static func axis(_ field: ManifestField) throws(OrionError) -> Int {
    try field.required("axis").integer(0...Manifest.rankMax - 1)
  }

  private static func matrix(_ field: ManifestField) throws(OrionError) -> AdapterMatrix.Kind {
    let matrix = try field.required("matrix")
    guard let kind = AdapterMatrix.Kind(rawValue: try matrix.string()) else {
      throw matrix.fault(expected: "\"a\" or \"b\"")
    }
    return kind
  }

  private static func scope(_ field: ManifestField) throws(OrionError) -> MaskScope {
    let over = try field.required("over")
    guard let scope = MaskScope(rawValue: try over.string()) else {
      let names = MaskScope.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw over.fault(expected: "one of \(names)")
    }
    return scope
  }
}

import Synchronization

/// Adapters of a session: read from PEFT directories, kept by name, chosen for each sequence.
extension Session {
  /// The last parts of the names of the layers that adapters may change; none when the bundle takes no adapters.
  public var adapterTargets: [String] { adapterSlots.targets }
  /// The largest rank that an adapter may have; 0 when the bundle takes none.
  public var adapterRank: Int { adapterSlots.rank }

  /// The names of the adapters that are open, sorted.
  public var adapters: [String] { openAdapters.withLock { $0.keys.sorted() } }

  /// Reads the adapter in `directory` (adapter_config.json, adapter_model.safetensors) and keeps it as `name`.
  ///
  /// - Throws: `argument` when the name is taken or empty, `file` when the directory holds no adapter that fits.
  public func openAdapter(_ name: String, from directory: String) throws(OrionError) {
    guard !name.isEmpty else {
      throw OrionError(.argument, "adapter name: expected a text that is not empty")
    }
    guard !adapterSlots.slots.isEmpty else {
      throw OrionError(
        .argument,
        "adapter \"\(name)\": the bundle takes none; compile it with --adapter-rank or"
          + " --adapter-path")
    }
    let file = try AdapterFile(directory: directory, slots: adapterSlots)
    let adapter = Adapter(name: name, pairs: file.pairs, departures: departures)
    let isNew = openAdapters.withLock { adapters in
      guard adapters[name] == nil else { return false }
      adapters[name] = adapter
      return true
    }
    guard isNew else {
      throw OrionError(
        .argument, "adapter \"\(name)\": open already; close it first, or take another name")
    }
  }

  /// Forgets the name. Sequences that the adapter reads keep it until they end or change.
  public func closeAdapter(_ name: String) throws(OrionError) {
    guard openAdapters.withLock({ $0.removeValue(forKey: name) }) != nil else {
      throw unknownAdapter(name)
    }
  }

  /// Reads what a sequence is given from now on with the adapter `name`, or with the model alone. The sequence
  /// must be empty: its keys and values are the adapter's.
  public func use(adapter name: String?, in sequence: TokenSequence? = nil) throws(OrionError) {
    try change(sequence ?? first) { sequence throws(OrionError) in
      var adapter: Adapter?
      if let name {
        adapter = openAdapters.withLock { $0[name] }
        if adapter == nil { throw unknownAdapter(name) }
      }
      guard sequence.tokens.isEmpty || sequence.adapter === adapter else {
        throw OrionError(
          .argument,
          "adapter: the sequence holds \(sequence.tokens.count) tokens that another read; reset it"
            + " first")
      }
      sequence.adapter = adapter
    }
  }

  /// The facts of the manifest, and the adapters.
  var facts: JSONValue {
    guard case .object(var members) = bundle.manifest.facts else { return bundle.manifest.facts }
    members.append(JSONMember("adapter_rank", JSONValue(adapterRank)))
    members.append(JSONMember("adapter_targets", JSONValue(adapterTargets)))
    members.append(JSONMember("adapters", JSONValue(adapters)))
    return .object(members)
  }

  private func unknownAdapter(_ name: String) -> OrionError {
    let known = adapters.map { "\"\($0)\"" }.joined(separator: ", ")
    return OrionError(
      .argument,
      "adapter \"\(name)\": not open; \(known.isEmpty ? "none is" : "open are \(known)")")
  }
}

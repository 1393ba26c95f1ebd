@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the layers of a tiny model compute, twice: over tensors with masks and caches, as a program sees them,
/// and over a whole text at once, as the definition.
struct TinyLayers {
  private let model: TinyModel
  private let values: [Role: TinyArray]
  private let cos: TinyArray
  private let newMask: TinyArray
  private let cacheMask: TinyArray?
  private let columns: Int

  init(_ model: TinyModel, _ values: [Role: TinyArray], watch: TinyBackend) {
    self.model = model
    self.values = values
    cos = values[.positionTable(table: "positions")] ?? TinyArray([1, 1, 1, 1])
    newMask = values[.mask(.new)] ?? TinyArray([1, 1, 1, 1])
    cacheMask = values[.mask(.cache)]
    columns = newMask.shape[3]
    let faults = violations()
    if !faults.isEmpty { watch.state.withLock { $0.violations += faults } }
  }

  func results(_ row: Manifest.ProgramRow) -> [Role: TinyArray] {
    var results: [Role: TinyArray] = [:]
    var x = values[.embedding(table: "embedding")] ?? values[.hidden] ?? TinyArray([1, 1, 1, 1])
    let axis = model.cacheAxis
    for port in row.outputs {
      guard case .newEntry(let slot, _) = port.role, slot.kind == .key else { continue }
      let valueSlot = CacheSlot(kind: .value, layer: slot.layer)
      var keys = TinyArray(port.shape)
      var entries = TinyArray(port.shape)
      for column in 0..<columns {
        for channel in 0..<model.width {
          let key = model.key(x[0, channel, 0, column], cos[0, channel, 0, column])
          put(key, &keys, column, channel)
          put(model.value(x[0, channel, 0, column], slot.layer), &entries, column, channel)
        }
      }
      var next = x
      for column in 0..<columns {
        let query = (0..<model.width).map { at(keys, column, $0) }
        var seen: [(score: Double, value: [Double])] = []
        if let mask = cacheMask, let keyCache = values[.cache(slot, axis: axis)],
          let valueCache = values[.cache(valueSlot, axis: axis)]
        {
          for place in 0..<mask.shape[3] {
            seen.append(
              see(query, keyCache, valueCache, place, mask: mask[0, 0, column, place]))
          }
        }
        for place in 0..<columns {
          seen.append(see(query, keys, entries, place, mask: newMask[0, 0, column, place]))
        }
        let states = (0..<model.width).map { x[0, $0, 0, column] }
        for (channel, state) in model.mix(states, seen).enumerated() {
          next[0, channel, 0, column] = state
        }
      }
      x = next
      results[.newEntry(slot, axis: axis)] = keys
      results[.newEntry(valueSlot, axis: axis)] = entries
    }
    results[.hidden] = x
    return results
  }

  private func see(
    _ query: [Double], _ keys: TinyArray, _ entries: TinyArray, _ place: Int, mask: Double
  ) -> (score: Double, value: [Double]) {
    let score = query.indices.reduce(mask) { $0 + query[$1] * at(keys, place, $1) }
    return (score, query.indices.map { at(entries, place, $0) })
  }

  private func at(_ array: TinyArray, _ place: Int, _ channel: Int) -> Double {
    model.cacheAxis == 3 ? array[0, channel, 0, place] : array[0, 0, place, channel]
  }

  private func put(_ value: Double, _ array: inout TinyArray, _ place: Int, _ channel: Int) {
    if model.cacheAxis == 3 {
      array[0, channel, 0, place] = value
    } else {
      array[0, 0, place, channel] = value
    }
  }

  // MARK: - What a session owes

  private func violations() -> [String] {
    var faults: [String] = []
    let blocked = model.dtype == "fp16" ? -10_000.0 : Double(Float(-1e9))
    let count = (0..<columns).filter { $0 == 0 || newMask[0, 0, $0, 0] == 0 }.count
    for row in 0..<columns {
      for column in 0..<columns {
        let isOpen = row < count ? column <= row : column == row
        if newMask[0, 0, row, column] != (isOpen ? 0 : blocked) {
          faults.append("mask over new [\(row), \(column)] of \(count)")
        }
      }
    }
    for column in count..<columns {
      for channel in 0..<model.width {
        if let x = values[.embedding(table: "embedding")], x[0, channel, 0, column] != 0 {
          faults.append("embedding of unused column \(column)")
        }
        if abs(cos[0, channel, 0, column] - Double(model.position(0)[channel])) > 1e-3 {
          faults.append("position of unused column \(column)")
        }
      }
    }
    guard let mask = cacheMask else { return faults }
    let filled = (0..<mask.shape[3]).filter { mask[0, 0, 0, $0] == 0 }.count
    for row in 0..<columns {
      for place in 0..<mask.shape[3] {
        let isOpen = row < count && place < filled
        if mask[0, 0, row, place] != (isOpen ? 0 : blocked) {
          faults.append("mask over cache [\(row), \(place)] of \(count) at \(filled)")
        }
      }
    }
    for (role, array) in values {
      guard case .cache = role else { continue }
      for place in filled..<mask.shape[3] {
        for channel in 0..<model.width where at(array, place, channel) != 0 {
          faults.append("cache position \(place) is not empty at \(filled)")
        }
      }
    }
    return faults
  }
}

// MARK: - The definition

extension TinyModel {
  func key(_ x: Double, _ cos: Double) -> Double { Double(Float(x * cos)) }
  func value(_ x: Double, _ layer: Int) -> Double { Double(Float(x + 0.25 * Double(layer + 1))) }

  /// Half the state, and the softmax-weighted mean of what it sees.
  func mix(_ states: [Double], _ seen: [(score: Double, value: [Double])]) -> [Double] {
    let largest = seen.map(\.score).max() ?? 0
    let weights = seen.map { exp($0.score - largest) }
    let total = weights.reduce(0, +)
    return states.indices.map { channel in
      let sum = seen.indices.reduce(0) { $0 + weights[$1] * seen[$1].value[channel] }
      return Double(Float(0.5 * states[channel] + sum / total))
    }
  }

  func logit(_ token: Int, of states: [Double]) -> Double {
    states.indices.reduce(0) { $0 + states[$1] * sin(Double(token) * 2.3 + Double($1) * 3.7 + 1) }
  }

  /// Logits after each of the tokens.
  func logits(_ tokens: [Int32]) -> [[Double]] {
    var states = tokens.map { embedding(Int($0)).map(Double.init) }
    for layer in 0..<layers {
      let keys = states.enumerated().map { place, state in
        zip(state, position(place)).map { key($0, Double($1)) }
      }
      let entries = states.map { $0.map { value($0, layer) } }
      states = states.indices.map { place in
        let seen = (0...place).map { other in
          (
            score: zip(keys[place], keys[other]).reduce(0) { $0 + $1.0 * $1.1 },
            value: entries[other]
          )
        }
        return mix(states[place], seen)
      }
    }
    return states.map { state in (0..<vocabulary).map { logit($0, of: state) } }
  }

  /// What greedy decoding appends to `tokens`, up to an end token.
  func continuation(_ tokens: [Int32], _ count: Int) -> [Int32] {
    var all = tokens
    for _ in 0..<count {
      guard let logits = logits(all).last, let largest = logits.max() else { break }
      all.append(Int32(logits.firstIndex(of: largest) ?? 0))
      if all.last == 2 { break }
    }
    return Array(all[tokens.count...])
  }
}

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
  private let columns: Int

  init(_ model: TinyModel, _ values: [Role: TinyArray], watch: TinyBackend) {
    self.model = model
    self.values = values
    cos = values[.positionTable(table: "positions")] ?? TinyArray([1, 1, 1, 1])
    columns = cos.shape[3]
    let faults = TinyWatch(model, values, columns).faults(
      isShared: watch.state.withLock { $0.isShared })
    if !faults.isEmpty { watch.state.withLock { $0.violations += faults } }
  }

  func results(_ row: Manifest.ProgramRow) -> [Role: TinyArray] {
    var results: [Role: TinyArray] = [:]
    var x = values[.embedding(table: "embedding")] ?? values[.hidden] ?? TinyArray([1, 1, 1, 1])
    let axis = model.entryAxis
    for port in row.outputs {
      guard case .newEntry(let slot, _) = port.role, slot.kind == .key else { continue }
      let valueSlot = CacheSlot(kind: .value, layer: slot.layer)
      var keys = TinyArray(x.shape)
      var entries = keys
      for column in 0..<columns {
        for channel in 0..<model.width {
          let key = model.key(x[0, channel, 0, column], cos[0, channel, 0, column])
          put(key, &keys, column, channel)
          put(model.value(x[0, channel, 0, column], slot.layer), &entries, column, channel)
        }
      }
      let segments = segments(slot, valueSlot, keys, entries)
      var next = x
      for column in 0..<columns {
        let query = (0..<model.width).map { model.at(keys, column, $0) }
        var seen: [(score: Double, value: [Double])] = []
        for segment in segments {
          for place in 0..<segment.mask.shape[3] {
            seen.append(
              see(
                query, segment.keys, segment.values, place, mask: segment.mask[0, 0, column, place])
            )
          }
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

  private typealias Segment = (keys: TinyArray, values: TinyArray, mask: TinyArray)

  /// What the columns look at: the cache and the new entries, or the cache with the new entries in it.
  private func segments(
    _ keySlot: CacheSlot, _ valueSlot: CacheSlot, _ keys: TinyArray, _ entries: TinyArray
  ) -> [Segment] {
    var segments: [Segment] = []
    let axis = model.cacheAxis
    let keyCache = values[.cache(keySlot, axis: axis)]
    let valueCache = values[.cache(valueSlot, axis: axis)]
    if let mask = values[.mask(.cache)], let keyCache, let valueCache {
      segments.append((keyCache, valueCache, mask))
    }
    if let mask = values[.mask(.new)] { segments.append((keys, entries, mask)) }
    if let mask = values[.mask(.slots)], let keyCache, let valueCache {
      segments.append((placed(keys, in: keyCache), placed(entries, in: valueCache), mask))
    }
    return segments
  }

  private func placed(_ entries: TinyArray, in cache: TinyArray) -> TinyArray {
    guard let placement = values[.placement] else { return cache }
    var sum = cache
    for column in 0..<columns {
      for place in 0..<placement.shape[3] where placement[0, 0, column, place] != 0 {
        for channel in 0..<model.width {
          let value = model.at(cache, place, channel) + model.at(entries, column, channel)
          put(value, &sum, place, channel)
        }
      }
    }
    return sum
  }

  private func see(
    _ query: [Double], _ keys: TinyArray, _ entries: TinyArray, _ place: Int, mask: Double
  ) -> (score: Double, value: [Double]) {
    let score = query.indices.reduce(mask) { $0 + query[$1] * model.at(keys, place, $1) }
    return (score, query.indices.map { model.at(entries, place, $0) })
  }

  private func put(_ value: Double, _ array: inout TinyArray, _ place: Int, _ channel: Int) {
    array[0, channel, 0, place] = value
  }
}

// MARK: - The definition

extension TinyModel {
  /// One number of a position in a cache or in new entries, whose positions are columns here.
  func at(_ array: TinyArray, _ place: Int, _ channel: Int) -> Double {
    array[0, channel, 0, place]
  }

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

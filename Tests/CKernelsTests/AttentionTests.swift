import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Keys and values of a run of positions: key[group][feature][position], or with positions first.
private struct Segment {
  var length: Int
  var key: [Float], value: [Float]
  /// mask[query][position]
  var mask: [Float]?
}

/// Attention in the engine's layout: features outside, positions and queries inside.
private struct Attention {
  let groups: Int, heads: Int, queries: Int, features: Int, valueFeatures: Int
  let query: [Float]  // [group][head][feature][query]
  var whole: Segment
  var positionsFirst = false
  var outputInPanels = false
  let scale: Float = 0.3

  init(
    _ groups: Int, _ heads: Int, _ queries: Int, _ features: Int, _ valueFeatures: Int,
    length: Int, random: inout Random
  ) {
    (self.groups, self.heads, self.queries) = (groups, heads, queries)
    (self.features, self.valueFeatures) = (features, valueFeatures)
    query = random.floats(groups * heads * features * queries, scale: 3)
    whole = Segment(
      length: length, key: random.floats(groups * features * length, scale: 2),
      value: random.floats(groups * valueFeatures * length),
      mask: random.floats(queries * length))
  }

  /// Positions [first, last) of `whole`, and then `padding` masked ones with arbitrary contents.
  func segment(_ first: Int, _ last: Int, padding: Int = 0) -> Segment {
    var random = Random(UInt64(81 + padding))
    let length = last - first + padding
    func cut(_ values: [Float], rows: Int, pad: (inout Random) -> Float) -> [Float] {
      (0..<rows).flatMap { row in
        Array(values[row * whole.length + first..<row * whole.length + last])
          + (0..<padding).map { _ in pad(&random) }
      }
    }
    return Segment(
      length: length, key: cut(whole.key, rows: groups * features) { $0.float() },
      value: cut(whole.value, rows: groups * valueFeatures) { $0.float() },
      mask: whole.mask.map { mask in cut(mask, rows: queries) { _ in -1e9 } })
  }

  private func stored(_ values: [Float], features: Int, length: Int) -> [Float] {
    guard positionsFirst else { return values }
    var result = values
    for group in 0..<groups {
      for feature in 0..<features {
        for position in 0..<length {
          result[(group * length + position) * features + feature] =
            values[(group * features + feature) * length + position]
        }
      }
    }
    return result
  }

  /// [group][head][feature][query]
  func run(_ parts: [Segment]) -> [Float] {
    var memory: [UnsafeMutablePointer<Float>] = []
    defer { for pointer in memory { pointer.deallocate() } }
    func place(_ values: [Float]) -> UnsafePointer<Float> {
      let pointer = UnsafeMutablePointer<Float>.allocate(capacity: values.count + 1)
      pointer.initialize(from: values, count: values.count)
      memory.append(pointer)
      return UnsafePointer(pointer)
    }
    let segments = parts.map { part -> orion_segment in
      let n = part.length
      return orion_segment(
        length: n, key: place(stored(part.key, features: features, length: n)),
        key_group: features * n, key_feature: positionsFirst ? 1 : n,
        key_position: positionsFirst ? features : 1,
        value: place(stored(part.value, features: valueFeatures, length: n)),
        value_group: valueFeatures * n, value_feature: positionsFirst ? 1 : n,
        value_position: positionsFirst ? valueFeatures : 1,
        mask: part.mask.map { place($0) }, mask_query: n)
    }
    let s = segments + [orion_segment](repeating: orion_segment(), count: 4 - segments.count)
    let count = groups * heads * valueFeatures * queries
    var output = [Float](repeating: .nan, count: count)
    output.withUnsafeMutableBufferPointer { output in
      var args = orion_attention_args(
        groups: groups, heads: heads, queries: queries, key_features: features,
        value_features: valueFeatures, query: place(query),
        query_group: heads * features * queries, query_head: features * queries,
        query_feature: queries, query_column: 1, scale: scale, segment_count: parts.count,
        segments: (s[0], s[1], s[2], s[3]), output: output.baseAddress,
        output_group: heads * valueFeatures * queries, output_head: valueFeatures * queries,
        output_feature: queries, output_column: 1, output_panel: 0)
      if outputInPanels {
        (args.output_group, args.output_head) = (heads * valueFeatures * 16, valueFeatures * 16)
        (args.output_feature, args.output_panel) = (16, count / queries * 16)
      }
      orion_attention(&args)
    }
    if outputInPanels { return rows(of: output, rows: count / queries, columns: queries) }
    return output
  }

  func exact() -> [Double] {
    var result = [Double](repeating: 0, count: groups * heads * valueFeatures * queries)
    for group in 0..<groups {
      for head in 0..<heads {
        for column in 0..<queries {
          let row = (group * heads + head) * features
          let scores = (0..<whole.length).map { position -> Double in
            var sum = 0.0
            for d in 0..<features {
              let key = whole.key[(group * features + d) * whole.length + position]
              sum += Double(query[(row + d) * queries + column]) * Double(key)
            }
            let mask = whole.mask.map { Double($0[column * whole.length + position]) } ?? 0
            return sum * Double(scale) + mask
          }
          let top = scores.max()!
          let weights = scores.map { exp($0 - top) }
          let total = weights.reduce(0, +)
          for d in 0..<valueFeatures {
            let start = (group * valueFeatures + d) * whole.length
            let sum = weights.indices.reduce(0.0) {
              $0 + weights[$1] * Double(whole.value[start + $1])
            }
            let place = (group * heads + head) * valueFeatures + d
            result[place * queries + column] = sum / total
          }
        }
      }
    }
    return result
  }

  /// The same with one of the queries.
  func only(_ column: Int) -> Attention {
    Attention(
      groups: groups, heads: heads, queries: 1, features: features, valueFeatures: valueFeatures,
      query: (0..<groups * heads * features).map { query[$0 * queries + column] },
      whole: Segment(
        length: whole.length, key: whole.key, value: whole.value,
        mask: whole.mask.map { Array($0[column * whole.length..<(column + 1) * whole.length]) }))
  }

  private init(
    groups: Int, heads: Int, queries: Int, features: Int, valueFeatures: Int, query: [Float],
    whole: Segment
  ) {
    (self.groups, self.heads, self.queries) = (groups, heads, queries)
    (self.features, self.valueFeatures) = (features, valueFeatures)
    (self.query, self.whole) = (query, whole)
  }
}

extension Kernels {
  @Suite struct AttentionTests {
    @Test func isSoftmaxOfScoresTimesValues() {
      var random = Random(82)
      for (groups, heads, queries, d, v, length) in [
        (1, 1, 1, 8, 8, 1), (2, 3, 5, 16, 20, 33), (1, 2, 60, 7, 3, 50), (3, 1, 1, 64, 64, 300),
        (2, 2, 112, 20, 7, 75),
      ] {
        let attention = Attention(groups, heads, queries, d, v, length: length, random: &random)
        let exact = attention.exact()
        withEachTable { table in
          let output = attention.run([attention.whole])
          let worst = zip(output, exact).map { abs(Double($0) - $1) }.max()!
          #expect(worst < 2e-5, "\(table) \(groups) \(heads) \(queries)")
        }
      }
    }

    @Test func masksMayBeLeftOut() {
      var random = Random(83)
      let attention = Attention(2, 2, 3, 8, 8, length: 20, random: &random)
      var zeros = attention.whole
      var none = attention.whole
      zeros.mask = [Float](repeating: 0, count: 60)
      none.mask = nil
      #expect(attention.run([zeros]) == attention.run([none]))
    }

    @Test func segmentsAndPaddingDoNotChangeBits() {
      var random = Random(84)
      for queries in [1, 4, 19, 48] {
        let length = 41
        let attention = Attention(2, 2, queries, 12, 18, length: length, random: &random)
        withEachTable { table in
          let whole = attention.run([attention.whole])
          for cut in 0...length {
            let parts = [
              attention.segment(0, cut, padding: cut % 7),
              attention.segment(cut, length, padding: cut * 5 % 11),
            ]
            #expect(
              firstDifference(attention.run(parts), whole) == nil,
              "\(table) \(queries) queries, cut at \(cut)")
          }
          let four = [(0, 3), (3, 20), (20, 21), (21, length)].map {
            attention.segment($0.0, $0.1, padding: 600)
          }
          #expect(firstDifference(attention.run(four), whole) == nil, "\(table) four segments")
        }
      }
    }

    @Test func queriesDoNotDependOnTheirNumber() {
      var random = Random(85)
      for queries in [70, 96] {
        let attention = Attention(2, 3, queries, 16, 16, length: 90, random: &random)
        let whole = attention.run([attention.whole])
        for column in [0, 1, 33, 69] {
          let one = attention.only(column)
          let expected = (0..<2 * 3 * 16).map { whole[$0 * queries + column] }
          #expect(firstDifference(one.run([one.whole]), expected) == nil, "query \(column)")
        }
      }
    }

    @Test func causalMasksLeaveLaterPositionsOut() {
      var random = Random(88)
      for length in [110, 176] {
        var attention = Attention(2, 1, length, 16, 16, length: length, random: &random)
        attention.whole.mask = (0..<length * length).map { $0 % length > $0 / length ? -1e9 : 0 }
        let output = attention.run([attention.whole])
        let worst = zip(output, attention.exact()).map { abs(Double($0) - $1) }.max()!
        #expect(worst < 2e-5)
        for column in [0, 15, 16, 109] {
          let one = attention.only(column)
          let expected = (0..<2 * 16).map { output[$0 * length + column] }
          #expect(firstDifference(one.run([one.whole]), expected) == nil, "query \(column)")
        }
      }
    }

    /// Each query of a panel sees positions of its own, some none, some a window in the middle.
    @Test func masksOfSideBySideQueriesMayDiffer() {
      var random = Random(90)
      let (queries, length) = (64, 70)
      var attention = Attention(1, 2, queries, 16, 16, length: length, random: &random)
      for kind in 0..<3 {
        attention.whole.mask = (0..<queries * length).map { place in
          let (query, position) = (place / length, place % length)
          switch kind {
          case 0: return abs(query - position) < 9 ? 0 : -1e9
          case 1: return query % 16 == 3 ? -1e9 : position % 5 == query % 5 ? -2 : 0
          default: return position < 64 - query ? 0 : -1e9
          }
        }
        let output = attention.run([attention.whole])
        for query in 0..<queries {
          let one = attention.only(query)
          let expected = (0..<2 * 16).map { output[$0 * queries + query] }
          #expect(firstDifference(one.run([one.whole]), expected) == nil, "\(kind), query \(query)")
        }
      }
    }

    @Test func queryThatSeesNothingAveragesAllValues() {
      var random = Random(89)
      let length = 40
      var attention = Attention(1, 1, 2, 4, 1, length: length, random: &random)
      attention.whole.mask = (0..<2 * length).map { $0 < length ? -1e9 : $0 == length ? 0 : -1e9 }
      let output = attention.run([attention.whole])
      let mean = attention.whole.value.reduce(0, +) / Float(length)
      #expect(abs(output[0] - mean) < 1e-6)
      #expect(output[1] == attention.whole.value[0])
    }

    @Test func layoutTablesAndThreadsDoNotChangeBits() {
      var random = Random(86)
      for queries in [1, 31, 48] {
        var attention = Attention(4, 2, queries, 32, 40, length: 700, random: &random)
        var results: [[Float]] = []
        for positionsFirst in [false, true] {
          attention.positionsFirst = positionsFirst
          withThreads { _ in results.append(attention.run([attention.whole])) }
        }
        withEachTable { _ in results.append(attention.run([attention.whole])) }
        if queries % 16 == 0 {
          for positionsFirst in [false, true] {
            (attention.positionsFirst, attention.outputInPanels) = (positionsFirst, true)
            results.append(attention.run([attention.whole]))
          }
        }
        #expect(results.allSatisfy { firstDifference($0, results[0]) == nil }, "\(queries)")
      }
    }

    @Test func longContextsAreHeld() {
      var random = Random(87)
      for queries in [7, 32] {
        let attention = Attention(1, 1, queries, 4, 4, length: 20_000, random: &random)
        let worst = zip(attention.run([attention.whole]), attention.exact())
          .map { abs(Double($0) - $1) }.max()!
        #expect(worst < 1e-5)
      }
    }
  }
}

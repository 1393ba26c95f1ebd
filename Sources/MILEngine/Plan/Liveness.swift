/// Gives buffers places in an arena, so that those alive at the same time do not overlap.
enum Liveness {
  /// Kernels read whole vectors; each place starts on one and has room for a last one.
  static let alignment = 64

  /// Byte offsets by buffer, and the size of the arena. Constants and unused buffers have no place.
  static func slots(
    buffers: [Lowering.Buffer], steps: [any Step], outputs: [Int]
  ) -> (slots: [Int?], bytes: Int) {
    var first = [Int](repeating: .max, count: buffers.count)
    var last = [Int](repeating: -1, count: buffers.count)
    for (index, buffer) in buffers.enumerated() {
      if case .input = buffer.kind { first[index] = -1 }
    }
    for (time, step) in steps.enumerated() {
      for buffer in step.reads + step.writes {
        first[buffer] = min(first[buffer], time)
        last[buffer] = max(last[buffer], time)
      }
    }
    for buffer in outputs {
      first[buffer] = min(first[buffer], steps.count)
      last[buffer] = steps.count
    }
    var result = [Int?](repeating: nil, count: buffers.count)
    var placed: [(start: Int, end: Int, first: Int, last: Int)] = []
    var arena = 0
    let order = buffers.indices.sorted { (buffers[$0].count, $1) > (buffers[$1].count, $0) }
    for index in order {
      if case .constant = buffers[index].kind { continue }
      guard first[index] != .max else { continue }
      let size = (buffers[index].count * 4 + alignment - 1) / alignment * alignment
      var start = 0
      // Neighbours in time, in order of place: the first gap that is large enough.
      for other in placed where other.first <= last[index] && first[index] <= other.last {
        if other.start - start >= size { break }
        start = max(start, other.end)
      }
      result[index] = start
      let entry = (start: start, end: start + size, first: first[index], last: last[index])
      let position = placed.firstIndex { $0.start > start } ?? placed.count
      placed.insert(entry, at: position)
      arena = max(arena, start + size)
    }
    return (result, arena)
  }
}

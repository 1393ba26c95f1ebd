/// Keys and values of the positions behind a session, in tensors that the steps' programs read. It grows from
/// one bucket to the next and knows no layer's meaning.
final class KeyValueCache {
  /// One row for each slot; the other arrays of this class follow this order.
  struct Row {
    let slot: CacheSlot
    let axis: Int
    /// Of the tensors in the manifest; the length along `axis` is the bucket's.
    let port: Manifest.PortRow
  }
  let rows: [Row]
  /// Rises whenever `storages` are other tensors than before.
  private(set) var generation = 0
  private(set) var storages: [any TensorStorage] = []
  /// Positions the tensors hold; 0 before the first bucket.
  private(set) var length = 0
  /// Positions that hold tokens; the others are zero.
  private(set) var filled = 0
  private let backend: any Backend

  init(_ manifest: Manifest, on backend: any Backend) {
    self.backend = backend
    let programs = manifest.steps.filter { $0.cache > 0 }.first?.programs ?? []
    rows = programs.flatMap { manifest.programs[$0].inputs }.compactMap { port in
      guard case .cache(let slot, let axis) = port.role else { return nil }
      return Row(slot: slot, axis: axis, port: port)
    }
  }

  func index(of slot: CacheSlot) -> Int? { rows.firstIndex { $0.slot == slot } }

  /// Makes the tensors hold `length` positions, keeping those that are filled. `layouts`: what programs ask for;
  /// without them, what the device would ask for.
  func prepare(length: Int, layouts: [Layout]? = nil) throws(OrionError) {
    if length == self.length {
      guard let layouts, layouts != storages.map(\.layout) else { return }
    }
    var grown: [any TensorStorage] = []
    for (index, row) in rows.enumerated() {
      let storage = try backend.makeStorage(layouts?[index] ?? layout(row, length))
      grown.append(storage)
      let kept = min(filled, length, self.length)
      guard kept > 0 else { continue }
      try copy(kept, from: storages[index], at: 0, to: storage, at: 0, axis: row.axis)
    }
    storages = grown
    self.length = length
    generation += 1
  }

  /// Takes `count` positions from new entries, in the order of `rows`.
  func append(_ entries: [any TensorStorage], count: Int, at position: Int) throws(OrionError) {
    let kept = max(min(count, length - position), 0)
    filled = position + kept
    for (index, row) in rows.enumerated() {
      try copy(kept, from: entries[index], at: 0, to: storages[index], at: position, axis: row.axis)
    }
  }

  /// Zeroes the positions from `position` on, which no token holds any more.
  func clear(from position: Int) throws(OrionError) {
    let range = position..<max(filled, position)
    filled = min(filled, position)
    guard !range.isEmpty else { return }
    for (index, row) in rows.enumerated() {
      let layout = storages[index].layout
      try storages[index].withAddress { address throws(OrionError) in
        PositionView(address, layout, axis: row.axis).clear(range)
      }
    }
  }

  private func copy(
    _ count: Int, from source: any TensorStorage, at start: Int, to target: any TensorStorage,
    at position: Int, axis: Int
  ) throws(OrionError) {
    try source.withAddress { from throws(OrionError) in
      try target.withAddress { to throws(OrionError) in
        PositionView(to, target.layout, axis: axis).copy(
          count, from: PositionView(from, source.layout, axis: axis), at: start, to: position)
      }
    }
  }

  private func layout(_ row: Row, _ length: Int) -> Layout {
    var shape = row.port.shape
    shape[row.axis] = length
    let bytes = shape[shape.count - 1] * row.port.dtype.byteCount
    return Layout(
      dtype: row.port.dtype, shape: shape, rowBytes: backend.rowBytes(forRowOf: bytes))
  }
}

import CKernels
import MILEngine

/// A pool of slots for keys and values, in tensors that the steps' programs read. Each slot belongs to a tenant
/// or is zero; a tenant's slots rise with its positions. It grows from one bucket to the next and knows no
/// layer's meaning.
///
/// Slots are handed out beyond all that are in use: a hole that a tenant left might lie before slots of the
/// tenant that asks. When the end is reached, the slots move together, or to longer tensors, in their order.
final class KeyValueCache {
  /// One row for each thing that is cached; the other arrays of this class follow this order.
  struct Row {
    let slot: CacheSlot
    let axis: Int
    /// The same of new entries.
    let entryAxis: Int
    /// Of the tensors in the manifest; the length along `axis` is the bucket's.
    let port: Manifest.PortRow
  }
  /// Columns of a step that a tenant keeps.
  struct Keeping {
    let tenant: Int
    let columns: Range<Int>
  }
  let rows: [Row]
  /// Rises whenever `storages` are other tensors than before.
  private(set) var generation = 0
  private(set) var storages: [any TensorStorage] = []
  /// Slots of the tensors that are in use; 0 before the first bucket.
  private(set) var length = 0
  /// From here on, slots are free and zero.
  private(set) var end = 0
  /// Lengths, rising.
  private let buckets: [Int]
  /// Positions are the outermost axis, where a long tensor begins as a short one: one of the greatest length serves
  /// all buckets.
  private let servesAll: Bool
  /// Called before the tensors are made anew, for whoever holds them.
  var onRebuild: () -> Void = {}
  private let backend: any Backend
  private var tenants: [Int: SlotRuns] = [:]
  /// A free slot may not be zero, because the device failed; the tensors are made anew before they are used.
  private var isStained = false
  /// Kept from one token to the next.
  private var sources: [UnsafeMutableRawPointer] = []
  private var targets: [UnsafeMutableRawPointer] = []
  private var copies: [orion_row_copy] = []

  init(_ manifest: Manifest, on backend: any Backend) {
    self.backend = backend
    let step = manifest.steps.filter { $0.cache > 0 }.first?.programs ?? []
    let programs = step.map { manifest.programs[$0] }
    var entryAxes: [CacheSlot: Int] = [:]
    for case .newEntry(let slot, let axis) in programs.flatMap(\.outputs).map(\.role) {
      entryAxes[slot] = axis
    }
    rows = programs.flatMap(\.inputs).compactMap { port in
      guard case .cache(let slot, let axis) = port.role, let entryAxis = entryAxes[slot] else {
        return nil
      }
      return Row(slot: slot, axis: axis, entryAxis: entryAxis, port: port)
    }
    buckets = Set(manifest.steps.map(\.cache)).filter { $0 > 0 }.sorted()
    servesAll =
      backend.takesLongerTensors
      && rows.allSatisfy { row in
        row.axis < row.port.shape.count - 1 && row.port.shape[..<row.axis].allSatisfy { $0 == 1 }
      }
  }

  func index(of slot: CacheSlot) -> Int? { rows.firstIndex { $0.slot == slot } }

  /// Slots of all tenants together.
  var used: Int { tenants.values.reduce(0) { $0 + $1.count } }
  var capacity: Int { buckets.last ?? 0 }
  func slots(of tenant: Int) -> SlotRuns { tenants[tenant] ?? SlotRuns() }

  /// Makes the tensors hold `length` slots, with `room` of them free at the end; both fit what is in use.
  /// `layouts`: what programs ask for; without them, what the device would ask for.
  func prepare(length: Int, room: Int = 0, layouts: [Layout]? = nil) throws(OrionError) {
    guard !isStained, end + room <= length, fits(length, layouts) else {
      return try rebuild(length, layouts)
    }
    self.length = length
  }

  private func fits(_ length: Int, _ layouts: [Layout]?) -> Bool {
    guard servesAll ? !storages.isEmpty : length == self.length else { return false }
    guard let layouts else { return true }
    return layouts.indices.allSatisfy { index in
      let (asked, found) = (layouts[index], storages[index].layout)
      return asked == found || (servesAll && found.begins(as: asked, axis: rows[index].axis))
    }
  }

  /// Gives tenants the new entries of some columns, in the order of `rows`.
  func keep(_ keepings: [Keeping], of entries: [any TensorStorage]) throws(OrionError) {
    let count = keepings.reduce(0) { $0 + $1.columns.count }
    guard count > 0 else { return }
    let needed = used + count
    guard let bucket = buckets.first(where: { $0 >= needed }) else {
      throw OrionError(.internal, "\(needed) slots in use, of \(capacity)")
    }
    if isStained || end + count > length { try prepare(length: max(bucket, length), room: count) }
    do {
      try copy(keepings, of: entries)
    } catch {
      isStained = true
      throw error
    }
    for keeping in keepings {
      tenants[keeping.tenant, default: SlotRuns()].append(end..<end + keeping.columns.count)
      end += keeping.columns.count
    }
  }

  /// Frees and zeroes a tenant's slots but for the first `kept`.
  func release(_ tenant: Int, keeping kept: Int = 0) {
    guard let freed = tenants[tenant]?.cut(to: kept) else { return }
    if kept == 0 { tenants[tenant] = nil }
    guard !freed.isEmpty, !isStained else { return }
    do {
      for (index, row) in rows.enumerated() {
        let layout = storages[index].layout
        try storages[index].withAddress { address throws(OrionError) in
          let view = PositionView(address, layout, axis: row.axis)
          for range in freed { view.clear(range) }
        }
      }
      end = tenants.values.map(\.end).max() ?? 0
    } catch {
      isStained = true
    }
  }

  /// Moves all slots together, in their order, into new tensors.
  private func rebuild(_ length: Int, _ layouts: [Layout]?) throws(OrionError) {
    onRebuild()
    let runs = tenants.flatMap { tenant, slots in slots.runs.map { (tenant: tenant, run: $0) } }
      .sorted { $0.run.lowerBound < $1.run.lowerBound }
    var moved: [any TensorStorage] = []
    for (index, row) in rows.enumerated() {
      let target = try makeStorage(layouts?[index] ?? layout(row, length), row)
      moved.append(target)
      guard !runs.isEmpty else { continue }
      let source = storages[index]
      try source.withAddress { from throws(OrionError) in
        try target.withAddress { to throws(OrionError) in
          let old = PositionView(from, source.layout, axis: row.axis)
          let new = PositionView(to, target.layout, axis: row.axis)
          var start = 0
          for (_, run) in runs {
            new.copy(run.count, from: old, at: run.lowerBound, to: start)
            start += run.count
          }
        }
      }
    }
    tenants = [:]
    end = 0
    for (tenant, run) in runs {
      tenants[tenant, default: SlotRuns()].append(end..<end + run.count)
      end += run.count
    }
    let freed = storages.reduce(0) { $0 + $1.layout.byteCount }
    storages = moved
    if freed > 1 << 20 { orion_return_memory() }
    self.length = length
    isStained = false
    generation += 1
  }

  /// All rows at once: each position lies in as many lines of memory as there are channels, and two threads wait
  /// for them half as long.
  private func copy(_ keepings: [Keeping], of entries: [any TensorStorage]) throws(OrionError) {
    let storages = storages
    try withAddresses(of: entries, in: &sources) { sources throws(OrionError) in
      try withAddresses(of: storages, in: &targets) { targets in
        copies.removeAll(keepingCapacity: true)
        for (index, row) in rows.enumerated() {
          let old = PositionView(sources[index], entries[index].layout, axis: row.entryAxis)
          let new = PositionView(targets[index], storages[index].layout, axis: row.axis)
          var slot = end
          for keeping in keepings {
            let columns = keeping.columns
            new.append(&copies, columns.count, from: old, at: columns.lowerBound, to: slot)
            slot += columns.count
          }
        }
        orion_copy_rows(copies, copies.count)
      }
    }
  }

  private func makeStorage(_ asked: Layout, _ row: Row) throws(OrionError) -> any TensorStorage {
    guard servesAll else { return try backend.makeStorage(asked) }
    var shape = asked.shape
    shape[row.axis] = max(capacity, shape[row.axis])
    return try backend.makeLongStorage(
      Layout(dtype: asked.dtype, shape: shape, rowBytes: asked.rowBytes))
  }

  private func layout(_ row: Row, _ length: Int) -> Layout {
    var shape = row.port.shape
    shape[row.axis] = length
    let bytes = shape[shape.count - 1] * row.port.dtype.byteCount
    return Layout(
      dtype: row.port.dtype, shape: shape, rowBytes: backend.rowBytes(forRowOf: bytes))
  }
}

extension Layout {
  /// Whether memory of this layout begins as memory of the other one, which is not longer along `axis`.
  func begins(as other: Layout, axis: Int) -> Bool {
    dtype == other.dtype && rowBytes == other.rowBytes && shape.count == other.shape.count
      && shape.indices.allSatisfy {
        $0 == axis ? shape[$0] >= other.shape[$0] : shape[$0] == other.shape[$0]
      }
  }
}

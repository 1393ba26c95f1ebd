@testable import OrionANE

/// What a session owes the programs of a tiny model: masks, placements, unused columns and empty slots must look
/// as the manifest's roles say.
struct TinyWatch {
  private let model: TinyModel
  private let values: [Role: TinyArray]
  private let columns: Int
  private let blocked: Double

  init(_ model: TinyModel, _ values: [Role: TinyArray], _ columns: Int) {
    self.model = model
    self.values = values
    self.columns = columns
    blocked = model.dtype == "fp16" ? -10_000.0 : Double(Float(-1e9))
  }

  /// `isShared`: several sequences may be in the cache and in the columns.
  func faults(isShared: Bool) -> [String] {
    var faults: [String] = []
    if let mask = values[.mask(.new)] { faults += newMaskFaults(mask, isShared) }
    if let placement = values[.placement], let mask = values[.mask(.slots)] {
      faults += placementFaults(placement, mask, isShared)
    }
    if isShared { return faults }
    if let mask = values[.mask(.new)], let cacheMask = values[.mask(.cache)] {
      let count = (0..<columns).filter { $0 == 0 || mask[0, 0, $0, 0] == 0 }.count
      let filled = (0..<cacheMask.shape[3]).filter { cacheMask[0, 0, 0, $0] == 0 }.count
      faults += rowFaults(cacheMask, "cache") { row, place in row < count && place < filled }
      faults += emptyFaults(filled..<cacheMask.shape[3])
    }
    return faults
  }

  /// Each column sees itself and an unbroken run of columns before it.
  private func newMaskFaults(_ mask: TinyArray, _ isShared: Bool) -> [String] {
    let firsts = (0..<columns).map { row in
      (0..<row).first { mask[0, 0, row, $0] == 0 } ?? row
    }
    let faults = rowFaults(mask, "new") { row, column in column >= firsts[row] && column <= row }
    if isShared { return faults }
    let count = (0..<columns).filter { $0 == 0 || firsts[$0] == 0 }.count
    return faults
      + (0..<columns).filter { firsts[$0] != ($0 < count ? 0 : $0) }.map {
        "mask over new, row \($0) of \(count)"
      } + unusedFaults(count)
  }

  /// Columns in use take a slot each, rising and empty, and see it; the others take and see none.
  private func placementFaults(_ placement: TinyArray, _ mask: TinyArray, _ isShared: Bool)
    -> [String]
  {
    let slots = (0..<columns).map { row in
      (0..<placement.shape[3]).filter { placement[0, 0, row, $0] != 0 }
    }
    let count = slots.prefix { !$0.isEmpty }.count
    let taken = slots.flatMap { $0 }
    var faults: [String] = []
    if taken.count != count || taken != taken.sorted() || Set(taken).count != count {
      faults.append("placement \(slots)")
    }
    if (0..<count).contains(where: { placement[0, 0, $0, taken[$0]] != 1 }) {
      faults.append("placement other than 1")
    }
    faults += rowFaults(mask, "slots") { row, place in
      guard row < count else { return false }
      if isShared { return place == taken[row] || mask[0, 0, row, place] == 0 }
      return place <= taken[row]
    }
    if let first = taken.first, !isShared { faults += emptyFaults(first..<mask.shape[3]) }
    for slot in taken { faults += emptyFaults(slot..<slot + 1) }
    return faults + unusedFaults(count)
  }

  private func rowFaults(_ mask: TinyArray, _ name: String, isOpen: (Int, Int) -> Bool)
    -> [String]
  {
    var faults: [String] = []
    for row in 0..<columns {
      for place in 0..<mask.shape[3]
      where mask[0, 0, row, place] != (isOpen(row, place) ? 0 : blocked) {
        faults.append("mask over \(name) [\(row), \(place)]")
      }
    }
    return faults
  }

  private func unusedFaults(_ count: Int) -> [String] {
    var faults: [String] = []
    for column in count..<columns {
      for channel in 0..<model.width {
        if let x = values[.embedding(table: "embedding")], x[0, channel, 0, column] != 0 {
          faults.append("embedding of unused column \(column)")
        }
        if let cos = values[.positionTable(table: "positions")],
          abs(cos[0, channel, 0, column] - Double(model.position(0)[channel])) > 1e-3
        {
          faults.append("position of unused column \(column)")
        }
      }
    }
    return faults
  }

  private func emptyFaults(_ places: Range<Int>) -> [String] {
    var faults: [String] = []
    for (role, array) in values {
      guard case .cache = role else { continue }
      for place in places {
        for channel in 0..<model.width where model.at(array, place, channel) != 0 {
          faults.append("cache position \(place) is not empty")
        }
      }
    }
    return faults
  }
}

/// Where the programs of a bundle take an adapter's matrices. It knows no adapter.

/// The place of one linear layer's two matrices.
struct AdapterSlot: Sendable, Hashable {
  var inputs = 0
  var outputs = 0
  /// The largest rank that fits.
  var rank = 0
}

/// All places of a bundle, by module.
struct AdapterSlots: Sendable {
  let slots: [String: AdapterSlot]

  var rank: Int { slots.values.map(\.rank).min() ?? 0 }
  /// The last parts of the modules' names, each once, sorted.
  var targets: [String] {
    Set(slots.keys.map { String($0.split(separator: ".").last ?? "") }).sorted()
  }

  init(_ manifest: Manifest) {
    var slots: [String: AdapterSlot] = [:]
    for port in manifest.programs.flatMap(\.inputs) {
      guard case .adapter(let matrix) = port.role else { continue }
      var slot = slots[matrix.module] ?? AdapterSlot()
      switch matrix.kind {
      case .a:
        slot.inputs = port.shape[1]
        slot.rank = port.shape[3]
      case .b:
        slot.outputs = max(slot.outputs, matrix.first + port.shape[3])
      }
      slots[matrix.module] = slot
    }
    self.slots = slots
  }

  /// Every adapter input is [1, rows, 1, columns]; a program that takes a module's `a` takes `b` too, of one rank,
  /// and a matrix has one shape in all programs.
  static func check(
    _ manifest: Manifest, _ fault: (_ path: String, _ message: String) -> OrionError
  ) throws(OrionError) {
    var shapes: [AdapterMatrix: [Int]] = [:]
    for (index, program) in manifest.programs.enumerated() {
      var ranks: [String: [AdapterMatrix.Kind: Int]] = [:]
      for (number, port) in program.inputs.enumerated() {
        guard case .adapter(let matrix) = port.role else { continue }
        let place = "programs[\(index)].inputs[\(number)]"
        let shape = port.shape
        guard shape.count == 4, shape[0] == 1, shape[2] == 1 else {
          throw fault("\(place).shape", "expected [1, rows, 1, columns], got \(shape)")
        }
        guard shapes.updateValue(shape, forKey: matrix) ?? shape == shape else {
          throw fault("\(place).shape", "another program takes this matrix in another shape")
        }
        let rank = matrix.kind == .a ? shape[3] : shape[1]
        guard
          ranks[matrix.module, default: [:]].updateValue(rank, forKey: matrix.kind) ?? rank == rank
        else { throw fault("\(place).shape", "its rank is \(rank), and not that of another part") }
      }
      for (module, sides) in ranks where sides[.a] == nil || sides[.a] != sides[.b] {
        throw fault(
          "programs[\(index)].inputs",
          "expected matrices \"a\" and \"b\" of one rank for the adapter of \(module)")
      }
    }
  }
}

/// Matches the surfaces of a request with the operands of a procedure, as the driver does.

import ANEProfiles
import MILEngine

struct SurfaceDesk {
  /// A surface in its place.
  struct Placed {
    let surface: Surface
    let operand: Operand
    /// The operand's rows at the stride that the attributes give, whatever the surface's own is.
    var view: MemoryView {
      MemoryView(address: surface.memory, rowBytes: operand.rowStride)
    }
  }

  let function: String
  let profile: Profile

  /// One surface for each operand, in declared order.
  func place(
    _ bindings: [RequestObject.Binding], on operands: [Operand], _ side: String
  ) throws(Failure) -> [Placed] {
    let placed: [Placed]
    switch profile.conduct.binding {
    case .symbols: placed = try bySymbol(bindings, operands, side)
    case .alphabetical: placed = try byName(bindings, operands, side)
    }
    for one in placed { try check(one, side) }
    if profile.conduct.surfaceSize == .equal { try checkEqual(placed, side) }
    return placed.sorted { $0.operand.position < $1.operand.position }
  }

  private func bySymbol(
    _ bindings: [RequestObject.Binding], _ operands: [Operand], _ side: String
  ) throws(Failure) -> [Placed] {
    var placed: [Placed] = []
    for binding in bindings {
      guard let operand = operands.first(where: { $0.symbol == binding.symbol }) else {
        throw .evaluation(
          status: 0x2,
          "\(side) symbol \(binding.symbol) is none of procedure \(function)'s"
            + " (\(operands.map { "\($0.symbol) \($0.name)" }.joined(separator: ", ")))")
      }
      guard !placed.contains(where: { $0.operand.position == operand.position }) else {
        throw .evaluation(
          status: 0x1d, "\(side) \(operand.name) of procedure \(function) has two surfaces")
      }
      placed.append(Placed(surface: binding.surface, operand: operand))
    }
    let missing = operands.filter { operand in
      !placed.contains { $0.operand.position == operand.position }
    }
    guard missing.isEmpty else {
      throw .evaluation(
        status: 0x1d,
        "procedure \(function) has \(operands.count) \(side)s, the request binds"
          + " \(bindings.count); missing: \(missing.map(\.name).joined(separator: ", "))")
    }
    return placed
  }

  /// The order of the request alone counts; its symbols are not looked at.
  private func byName(
    _ bindings: [RequestObject.Binding], _ operands: [Operand], _ side: String
  ) throws(Failure) -> [Placed] {
    guard bindings.count == operands.count else {
      throw .evaluation(
        status: 0x1d,
        "procedure \(function) has \(operands.count) \(side)s, the request binds"
          + " \(bindings.count)")
    }
    return zip(bindings, operands.sorted { $0.name < $1.name }).map {
      Placed(surface: $0.surface, operand: $1)
    }
  }

  /// The surface holds all rows of the operand.
  private func check(_ placed: Placed, _ side: String) throws(Failure) {
    let (surface, operand) = (placed.surface.geometry, placed.operand)
    guard surface.allocationBytes >= operand.byteCount else {
      throw .evaluation(
        status: 0x1d,
        "\(side) \(operand.name) needs a surface of \(operand.byteCount) bytes (rows"
          + " \(operand.rowStride) bytes apart), it has \(surface.allocationBytes)")
    }
    let alignment = profile.limits.rowAlignmentBytes
    guard surface.height <= 1 || surface.bytesPerRow % alignment == 0 else {
      throw .evaluation(
        status: 0x1d,
        "\(side) \(operand.name) has a surface with rows of \(surface.bytesPerRow) bytes;"
          + " expected a multiple of \(alignment)")
    }
  }

  /// All surfaces of a side have one size, and not a small one.
  private func checkEqual(_ placed: [Placed], _ side: String) throws(Failure) {
    let sizes = placed.map(\.surface.geometry.allocationBytes)
    guard let first = sizes.first, sizes.allSatisfy({ $0 == first }) else {
      throw .evaluation(
        status: 0x1d,
        "the \(side)s of procedure \(function) have surfaces of \(sizes) bytes; expected one size")
    }
    let least = profile.conduct.surfaceBytesMin
    guard first >= least else {
      throw .evaluation(
        status: 0x1d,
        "the \(side)s of procedure \(function) have surfaces of \(first) bytes; expected at least"
          + " \(least)")
    }
  }

  /// No surface is both read and written, on the routes that cannot do that.
  func checkApart(_ read: [Placed], _ written: [Placed], route: String) throws(Failure) {
    guard profile.conduct.aliasFaultRoutes.contains(route) else { return }
    for output in written {
      guard let input = read.first(where: { $0.surface === output.surface }) else { continue }
      throw .evaluation(
        status: 0x16,
        "input \(input.operand.name) and output \(output.operand.name) of procedure \(function)"
          + " are one surface; use two")
    }
  }
}

extension Limits {
  /// The engine can address rows of this length.
  func takes(width: Int) -> Bool { width >= widthMin && width % widthMultiple == 0 }
}

extension Operand {
  /// Writes one number into every element.
  func fill(_ memory: UnsafeMutableRawPointer, with value: Float) {
    let rows = rowStride == 0 ? 0 : byteCount / rowStride
    for row in 0..<rows {
      for column in 0..<width {
        let place = memory + row * rowStride
        switch dtype {
        case .fp16:
          place.storeBytes(
            of: UInt16(value.isNaN ? 0x7e00 : 0), toByteOffset: 2 * column, as: UInt16.self)
        case .fp32:
          place.storeBytes(of: value, toByteOffset: 4 * column, as: Float.self)
        default: place.storeBytes(of: 0, toByteOffset: column, as: UInt8.self)
        }
      }
    }
  }
}

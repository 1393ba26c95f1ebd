import ANEProfiles
import MILEngine
import Testing

@testable import ANESimulator

/// The surfaces of one function's inputs and outputs, as a host that keeps to the profile makes them,
/// unless a scene says otherwise.
struct SurfaceTable {
  var fills: [String: [Float]] = [:]
  var sizes: [String: Int] = [:]
  /// A name, and the one whose surface it uses.
  var shared: [String: String] = [:]
  /// Rows that the host writes and reads start at multiples of this.
  var alignment: Int
  private let sides: [[Value]]
  private let profile: Profile
  private var made: [String: ID] = [:]

  init(_ function: CheckedFunction, _ profile: Profile) {
    self.profile = profile
    alignment = profile.limits.rowAlignmentBytes
    sides = [function.inputs, function.outputs].map { $0.map { function.values[$0] } }
  }

  mutating func forget() { made = [:] }

  mutating func make(_ client: Client) throws {
    for side in sides {
      let largest = side.map { bytes($0, profile.limits.rowAlignmentBytes) }.max() ?? 0
      for value in side where made[value.name] == nil && shared[value.name] == nil {
        let isEqual = profile.conduct.surfaceSize == .equal
        let own = max(bytes(value, alignment), bytes(value, profile.limits.rowAlignmentBytes))
        let size = max(isEqual ? largest : own, own, profile.conduct.surfaceBytesMin)
        made[value.name] = try client.flatSurface(sizes[value.name] ?? size)
      }
    }
  }

  func surface(_ name: String) throws -> ID {
    try #require(made[shared[name] ?? name], "no surface \(name)")
  }

  func fill(_ client: Client) throws {
    for value in sides[0] {
      guard let numbers = fills[value.name], !numbers.isEmpty else { continue }
      let width = value.type.shape.last ?? 1
      try client.bytes(of: try surface(value.name)) { base in
        for index in 0..<value.type.elementCount {
          let number = numbers[index % numbers.count]
          let place = base + index / width * rowBytes(value, alignment)
          if value.type.dtype == .fp32 {
            place.storeBytes(of: number, toByteOffset: 4 * (index % width), as: Float.self)
          } else {
            place.storeBytes(
              of: Float16(number), toByteOffset: 2 * (index % width), as: Float16.self)
          }
        }
      }
    }
  }

  /// The first elements of an output, in order.
  func read(_ client: Client, _ name: String, count: Int) throws -> [Float] {
    let value = try #require(sides[1].first { $0.name == name }, "no output \(name)")
    let width = value.type.shape.last ?? 1
    return try client.bytes(of: try surface(name)) { base in
      (0..<count).map { index in
        let place = base + index / width * rowBytes(value, alignment)
        return value.type.dtype == .fp32
          ? place.load(fromByteOffset: 4 * (index % width), as: Float.self)
          : Float(place.load(fromByteOffset: 2 * (index % width), as: Float16.self))
      }
    }
  }

  private func rowBytes(_ value: Value, _ alignment: Int) -> Int {
    let packed = (value.type.shape.last ?? 1) * (value.type.dtype == .fp32 ? 4 : 2)
    return (packed + alignment - 1) / alignment * alignment
  }

  private func bytes(_ value: Value, _ alignment: Int) -> Int {
    rowBytes(value, alignment) * value.type.shape.dropLast().reduce(1, *)
  }
}

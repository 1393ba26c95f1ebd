/// One unit of work of a plan, and the memory it finds when it runs.
protocol Step: Sendable {
  /// Buffers it looks at.
  var reads: [Int] { get }
  /// Buffers it fills, in whole or in part.
  var writes: [Int] { get }
  func run(_ frame: Frame)
  /// What it is, for tables of times.
  var label: String { get }
  /// Multiplications and additions of products; 0 for other work.
  var flops: Double { get }
}

extension Step {
  var label: String { "\(Self.self)" }
  var flops: Double { 0 }
}

/// An element of a buffer.
struct Place: Sendable, Hashable {
  let buffer: Int
  /// In elements of 4 bytes.
  let offset: Int
}

/// Where the buffers of a plan are during one call.
struct Frame {
  let bases: UnsafeMutablePointer<UnsafeMutableRawPointer>
  let control: RunControl

  func address(_ place: Place) -> UnsafeMutableRawPointer {
    bases[place.buffer] + 4 * place.offset
  }
  func floats(_ place: Place) -> UnsafeMutablePointer<Float> {
    address(place).assumingMemoryBound(to: Float.self)
  }
  func words(_ place: Place) -> UnsafeMutablePointer<UInt32> {
    address(place).assumingMemoryBound(to: UInt32.self)
  }
}

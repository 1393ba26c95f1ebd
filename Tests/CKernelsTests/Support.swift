// What the kernels' tests share: seeded numbers, comparison by bits, and running a body under every
// kernel table and thread count. It knows no kernel.
import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Tests switch tables and thread counts of the whole process, so they run one after the other.
@Suite(.serialized) enum Kernels {}

/// A small generator, so that a failing case repeats.
struct Random {
  var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  mutating func bits() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_f491_4f6c_dd1d
  }

  mutating func below(_ limit: Int) -> Int { Int(bits() >> 33) % limit }

  mutating func float() -> Float { Float(Int64(bits() >> 40)) * 0x1p-23 - 1 }

  mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in float() * scale }
  }

  /// Values that fp16 can hold.
  mutating func halves(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in Float(Float16(float() * scale)) }
  }
}

/// Index of the first value that is not the same, taking all NaNs for one.
func firstDifference(_ a: [Float], _ b: [Float]) -> Int? {
  guard a.count == b.count else { return min(a.count, b.count) }
  return a.indices.first { a[$0].bitPattern != b[$0].bitPattern && !(a[$0].isNaN && b[$0].isNaN) }
}

/// A matrix in panels of 16 columns, [columns / 16][rows][16], and back.
func panels(of matrix: [Float], rows: Int, columns: Int) -> [Float] {
  var result = matrix
  for (index, place) in panelPlaces(rows, columns).enumerated() { result[place] = matrix[index] }
  return result
}
func rows(of panels: [Float], rows: Int, columns: Int) -> [Float] {
  panelPlaces(rows, columns).map { panels[$0] }
}
private func panelPlaces(_ rows: Int, _ columns: Int) -> [Int] {
  (0..<rows * columns).map { index in
    let (row, column) = (index / columns, index % columns)
    return (column / 16 * rows + row) * 16 + column % 16
  }
}

/// Every value of fp16, as floats.
let allHalves: [Float] = (0...UInt16.max).map { Float(Float16(bitPattern: $0)) }

/// Rounds a double to fp16 once.
func roundedOnce(_ value: Double) -> Float { Float(Float16(value)) }

/// Runs the body with each of the kernels that this processor has.
func withEachTable(_ body: (String) -> Void) {
  for name in ["avx512", "avx2", "neon-fp16", "neon", "c"] where orion_kernels_use(name) {
    body(name)
  }
  orion_kernels_use(nil)
}

/// Runs the body on pools of several sizes.
func withThreads(_ counts: [Int32] = [1, 2, 3, 5], _ body: (Int32) -> Void) {
  let before = orion_pool_threads()
  for count in counts {
    orion_pool_set_threads(count)
    body(count)
  }
  orion_pool_set_threads(before)
}

/// Distance from the exact value in units of the last place of fp32.
func unitsInLastPlace(_ value: Float, from exact: Double) -> Double {
  let nearest = Float(exact)
  if nearest.isNaN || value.isNaN { return nearest.isNaN && value.isNaN ? 0 : .infinity }
  if value == nearest { return 0 }
  guard value.isFinite else { return .infinity }
  let unit = nearest.isFinite ? Double(nearest.ulp) : Double(Float.greatestFiniteMagnitude.ulp)
  return abs(Double(value) - exact) / unit
}

/// The address of the values, or nil.
func withOptional(_ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Void) {
  guard let values else { return body(nil) }
  values.withUnsafeBufferPointer { body($0.baseAddress) }
}

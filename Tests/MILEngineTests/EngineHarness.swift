/// Runs MIL text in the engine without a disk, for the tests of ops, plans and fusions.
import ANEProfiles

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Arithmetic {
  static let engine = Arithmetic(storage: .fp16, macOverflowsAt: 32_768, hidesNaN: false)
}

/// Caller's memory for one tensor of any type that ports take.
final class HostTensor {
  let type: TensorType
  let rowBytes: Int
  let memory: UnsafeMutableRawPointer
  private let rowLength: Int
  private let rows: Int
  private let byteCount: Int

  /// Rows start `padding` bytes later than they must.
  init(_ type: TensorType, _ values: [Double] = [], padding: Int = 0) {
    self.type = type
    rowLength = type.shape.last ?? 1
    rows = rowLength == 0 ? 0 : type.elementCount / rowLength
    rowBytes = rowLength * (type.dtype.bitWidth ?? 8) / 8 + padding
    byteCount = max(rows * rowBytes, 1)
    memory = .allocate(byteCount: byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0xAB, count: byteCount)
    for (index, value) in values.enumerated() { store(value, index) }
  }

  deinit { memory.deallocate() }

  var view: MemoryView { MemoryView(address: memory, rowBytes: rowBytes) }
  var values: [Double] { (0..<type.elementCount).map(load) }

  /// Bytes between the rows, which nobody may touch.
  var gapsAreUntouched: Bool {
    let used = rowLength * (type.dtype.bitWidth ?? 8) / 8
    return (0..<rows).allSatisfy { row in
      (used..<rowBytes).allSatisfy {
        memory.load(fromByteOffset: row * rowBytes + $0, as: UInt8.self) == 0xAB
      }
    }
  }

  private func place(_ index: Int) -> UnsafeMutableRawPointer {
    memory + index / rowLength * rowBytes + index % rowLength * (type.dtype.bitWidth ?? 8) / 8
  }

  private func store(_ value: Double, _ index: Int) {
    let place = place(index)
    switch type.dtype {
    case .fp16: place.storeBytes(of: Float16(value).bitPattern, as: UInt16.self)
    case .fp32: place.storeBytes(of: Float(value), as: Float.self)
    case .int32: place.storeBytes(of: Int32(value), as: Int32.self)
    case .int16, .uint16:
      place.storeBytes(of: UInt16(truncatingIfNeeded: Int(value)), as: UInt16.self)
    default: place.storeBytes(of: UInt8(truncatingIfNeeded: Int(value)), as: UInt8.self)
    }
  }

  private func load(_ index: Int) -> Double {
    let place = place(index)
    switch type.dtype {
    case .fp16: return Double(Float16(bitPattern: place.loadUnaligned(as: UInt16.self)))
    case .fp32: return Double(place.loadUnaligned(as: Float.self))
    case .int32: return Double(place.loadUnaligned(as: Int32.self))
    case .int16: return Double(place.loadUnaligned(as: Int16.self))
    case .uint16: return Double(place.loadUnaligned(as: UInt16.self))
    case .int8: return Double(place.load(as: Int8.self))
    default: return Double(place.load(as: UInt8.self))
    }
  }
}

extension ExecutableFunction {
  /// Runs on dense numbers, one list for each input.
  func run(_ inputs: [[Double]]) throws -> [[Double]] {
    let given = zip(self.inputs, inputs).map { HostTensor($0.type, $1) }
    let taken = outputs.map { HostTensor($0.type) }
    try run(inputs: given, outputs: taken)
    return taken.map(\.values)
  }

  /// Keeps the tensors alive for the call: a view is an address and holds nothing.
  func run(inputs: [HostTensor], outputs: [HostTensor]) throws {
    try withExtendedLifetime((inputs, outputs)) {
      try run(inputs: inputs.map(\.view), outputs: outputs.map(\.view))
    }
  }

  /// Names of the step types, in order.
  var stepNames: [String] { plan.steps.map { "\(Swift.type(of: $0))" } }
}

/// The only function of a text, ready to run.
func engineFunction(
  _ body: String, inputs: String, out: String, opset: String = "ios18",
  arithmetic: Arithmetic = .ieee
) throws -> ExecutableFunction {
  let text = """
    program(1.3)
    [buildInfo = dict<string, string>({})]
    {
        func main<\(opset)>(\(inputs)) {
    \(body)
        } -> (\(out));
    }
    """
  let program: CheckedProgram
  do {
    program = try Checker.check(try Parser.parse(text), modelDirectory: nil)
  } catch {
    throw EngineError.program(error)
  }
  let plan = try Plan(program.functions[0], arithmetic: arithmetic)
  return ExecutableFunction(
    program.functions[0], plan: plan,
    constants: try ConstantMemory(plan, layout: PackLayout([plan]), packed: nil, owner: nil),
    work: Work(Lowering(program.functions[0], arithmetic: arithmetic)))
}

/// The MIL text of a list of numbers.
func literal(_ values: [Double]) -> String {
  "[" + values.map { "\($0)" }.joined(separator: ", ") + "]"
}

/// A repeatable source of numbers.
struct Dice: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  /// A number that fp16 holds.
  mutating func half(_ range: ClosedRange<Double> = -4...4) -> Double {
    Double(Float16(Double.random(in: range, using: &self)))
  }

  mutating func halves(_ count: Int, _ range: ClosedRange<Double> = -4...4) -> [Double] {
    (0..<count).map { _ in half(range) }
  }

  mutating func shape(rank: ClosedRange<Int> = 1...4, size: ClosedRange<Int> = 1...5) -> [Int] {
    (0..<Int.random(in: rank, using: &self)).map { _ in Int.random(in: size, using: &self) }
  }
}

/// Equal, or both not a number.
func same(_ left: [Double], _ right: [Double]) -> Bool {
  left.count == right.count && zip(left, right).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
}

/// The largest difference, relative to magnitudes above 1.
func distance(_ left: [Double], _ right: [Double]) -> Double {
  guard left.count == right.count else { return .infinity }
  return zip(left, right).reduce(0) {
    let (a, b) = $1
    if a == b || (a.isNaN && b.isNaN) { return $0 }
    let difference = abs(a - b) / max(1, abs(b))
    return difference.isNaN ? .infinity : max($0, difference)
  }
}

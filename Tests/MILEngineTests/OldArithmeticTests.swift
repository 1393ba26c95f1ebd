import ANEProfiles
import Testing

@testable import MILEngine

/// What M1 does to numbers, by the rows of its profile, beside what IEEE says.
@Suite struct OldArithmeticTests {
  private let old = Profile.m1macOS15.arithmetic

  private func run(
    _ body: String, _ x: [Double], out: Int? = nil, arithmetic: Arithmetic? = nil
  ) throws -> [Double] {
    let result = "tensor<fp16, [\(out ?? x.count)]>"
    let function = try engineFunction(
      "\(result) y = \(body);", inputs: "tensor<fp16, [\(x.count)]> x", out: "y",
      arithmetic: arithmetic ?? old)
    return try function.run([x])[0]
  }

  @Test func notANumberEntersAsInfinity() throws {
    #expect(try run("relu(x = x)", [.nan, 1]) == [.infinity, 1])
    #expect(try run("tanh(x = x)", [.nan]) == [1])
    #expect(try run("softmax(x = x, axis = int32(0))", [.nan, 1]) == [1, 0])
    #expect(try run("softmax(x = x, axis = int32(0))", [-.infinity, -.infinity]) == [0.5, 0.5])
    #expect(try run("relu(x = x)", [.nan], arithmetic: .engine)[0].isNaN)
  }

  /// A constant comes in from outside too: dense, as weights in panels, and worked out from parts.
  @Test func notANumberInAConstantIsInfinity() throws {
    #expect(try run("add(x = x, y = tensor<fp16, [2]>([nan, 1]))", [1, 1]) == [.infinity, 2])
    #expect(
      try run("add(x = x, y = tensor<fp16, [1]>([nan]))", [1], arithmetic: .engine)[0].isNaN)
    let product = "linear(x = x, weight = tensor<fp16, [1, 2]>([[nan, 1]]))"
    #expect(try run(product, [1, 1], out: 1) == [.infinity])
    let function = try engineFunction(
      "tensor<fp16, [1]> z = constexpr_blockwise_shift_scale(data = tensor<int8, [1]>([2]),"
        + " scale = tensor<fp16, [1]>([nan])); tensor<fp16, [1]> y = mul(x = x, y = z);",
      inputs: "tensor<fp16, [1]> x", out: "y", arithmetic: old)
    #expect(try function.run([[1]]) == [[.infinity]])
  }

  @Test func whatIsIndeterminateIsZero() throws {
    #expect(try run("sub(x = x, y = x)", [.infinity, 2]) == [0, 0])
    #expect(try run("mul(x = x, y = fp16(0))", [.infinity]) == [0])
    #expect(try run("sqrt(x = x)", [-1, 4]) == [0, 2])
    #expect(try run("log(epsilon = fp16(0), x = x)", [-1, 1]) == [0, 0])
  }

  @Test func zeroAndInfinity() throws {
    #expect(try run("log(epsilon = fp16(0), x = x)", [0]) == [-45_440])
    #expect(try run("inverse(epsilon = fp16(0), x = x)", [-0.0]) == [.infinity])
    #expect(try run("exp(x = x)", [11.0859375, 11.09375])[1] == .infinity)
    #expect(try run("log(epsilon = fp16(0), x = x)", [0], arithmetic: .engine) == [-.infinity])
  }

  @Test func aSliceInsideARowOverflowsEarly() throws {
    let slice =
      "slice_by_size(begin = tensor<int32, [1]>([1]), size = tensor<int32, [1]>([2]), x = x)"
    #expect(try run(slice, [9000, 4094, 4096], out: 2) == [4094, .infinity])
    let start =
      "slice_by_size(begin = tensor<int32, [1]>([0]), size = tensor<int32, [1]>([2]), x = x)"
    #expect(try run(start, [9000, -9000, 1], out: 2) == [9000, -9000])
    #expect(try run(slice, [9000, 4094, 4096], out: 2, arithmetic: .engine) == [4094, 4096])
  }

  @Test func sumsLoseWhatIsDenormal() throws {
    func product(_ arithmetic: Arithmetic) throws -> [Double] {
      let function = try engineFunction(
        "tensor<fp16, [1, 1]> y = matmul(transpose_x = bool(false), transpose_y = bool(true), x = x,"
          + " y = x); tensor<fp16, [1, 2]> z = mul(x = x, y = fp16(0.125));",
        inputs: "tensor<fp16, [1, 2]> x", out: "y, z", arithmetic: arithmetic)
      return try function.run([[0x1p-8, 0]]).flatMap { $0 }
    }
    #expect(try product(old)[0] == 0)
    #expect(try product(.engine)[0] == 0x1p-16)
    #expect(try product(old)[1] == 0x1p-11)
  }

  /// x times a column of ones, as constants and as an operand of the run.
  private func sums(_ x: [Double], _ arithmetic: Arithmetic) throws -> [Double] {
    let count = x.count
    let ones = "[" + Array(repeating: "[1]", count: count).joined(separator: ", ") + "]"
    let flags = "transpose_x = bool(false), transpose_y = bool(false)"
    let function = try engineFunction(
      "tensor<fp16, [1, 1]> y = matmul(\(flags), x = x, y = tensor<fp16, [\(count), 1]>(\(ones)));"
        + " tensor<fp16, [1, 1]> z = matmul(\(flags), x = x, y = w);",
      inputs: "tensor<fp16, [1, \(count)]> x, tensor<fp16, [\(count), 1]> w", out: "y, z",
      arithmetic: arithmetic)
    return try function.run([x, Array(repeating: 1, count: count)]).flatMap { $0 }
  }

  @Test func tilesOfFourAreRoundedOnM1() throws {
    let x: [Double] = [4096, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    #expect(try sums(x, old) == [4096, 4096])
    #expect(try sums(x, .engine) == [4100, 4100])
    // Where no tile is large, the sum is the plain one.
    let small: [Double] = [2048, 1, 1, 1, 2048, 0, 0, 0]
    #expect(try sums(small, old) == sums(small, .engine))
  }

  @Test func tiesGoAwayFromZeroOnM5() throws {
    let m5 = Profile.m5macOS26.arithmetic
    #expect(try sums([2048, 1], m5) == [2050, 2050])
    #expect(try sums([-2048, -1], m5) == [-2050, -2050])
    #expect(try sums([2048, 1], old) == [2048, 2048])
    #expect(try sums([32_752, 16], m5) == [.infinity, .infinity])
    #expect(try sums([0x1p-24, 0x1p-24], m5) == [0x1p-23, 0x1p-23])
  }

  /// The recorded errors, and the exact functions without the option.
  @Test func activationsHaveTables() throws {
    let xs = stride(from: -9.0, through: 9.0, by: 0.03125).map { $0 }
    let rows: [(call: String, error: Double)] = [
      ("sigmoid(x = x)", 0.0034), ("tanh(x = x)", 0.0017),
      ("gelu(mode = string(\"EXACT\"), x = x)", 0.0059),
    ]
    let tables = Profile.m1macOS15.with(.tables).arithmetic
    for (call, error) in rows {
      let exact = try run(call, xs)
      let found = try run(call, xs, arithmetic: tables)
      let worst = zip(exact, found).map { abs($0 - $1) }.max() ?? 0
      // Both sides are rounded to fp16 near one.
      #expect(worst > 0.8 * error && worst < error + 0x1p-11, "\(call): \(worst)")
    }
    #expect(try run("relu(x = x)", xs, arithmetic: tables) == run("relu(x = x)", xs))
  }

  @Test func withoutRoundingNothingIsLost() throws {
    let sum = "add(x = x, y = fp16(1))"
    #expect(try run("mul(x = x, y = x)", [300], arithmetic: .engine) == [.infinity])
    let body = "add(x = x, y = fp16(1)); tensor<fp16, [1]> z = sub(x = y, y = x)"
    let function = try engineFunction(
      "tensor<fp16, [1]> y = \(body);", inputs: "tensor<fp16, [1]> x", out: "z",
      arithmetic: .unrounded)
    #expect(try function.run([[2048]]) == [[1]])
    #expect(try run(sum, [2048]) == [2048])
  }
}

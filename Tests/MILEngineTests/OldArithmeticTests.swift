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

import Testing

@testable import ANEProfiles
@testable import MILEngine

@Suite struct CostModelTests {
  /// Round rates, so that times are read off.
  private let cost = Cost(
    dispatchSeconds: 1, compileSeconds: 2, loadSeconds: 0, unloadSeconds: 0, matmulFlops: 1024,
    convFlops: 2048, weightBytes: 512, opBytesMax: 1 << 20, programBytesMax: 1 << 20,
    unevenSlowdown: 2, inputBytes: 128, outputBytes: 256, softmaxElements: 64,
    compileSecondsPerByte: 0.5, watts: 3)

  private func work(_ body: String, input: String = "[1, 4, 1, 64]", out: String = "y") throws
    -> Work
  {
    let text = """
      program(1.3) { func main<ios18>(tensor<fp16, \(input)> x) {
      \(body)
      } -> (\(out)); }
      """
    let found = try TextEstimate.estimates(
      utf8: Array(text.utf8), modelDirectory: nil, profiles: [.m4macOS15])
    return try #require(found.first?.functions.first?.work)
  }

  @Test func aPassMovesItsResultBesideThePorts() throws {
    let work = try work("tensor<fp16, [1, 4, 1, 64]> y = relu(x = x);")
    #expect((work.inputBytes, work.outputBytes, work.streamedBytes) == (512, 512, 0))
    let time = work.time(on: cost)
    #expect((time.dispatch, time.products, time.memory, time.passes) == (1, 0, 4 + 2, 1))
    #expect(time.seconds == 1 + 6 + 1)
    #expect(time.joules == 3 * 7)
    #expect(time.bound == "bandwidth")
  }

  @Test func kindsHaveRatesOfTheirOwn() throws {
    let work = try work(
      "tensor<fp16, [1, 4, 1, 64]> a = softmax(axis = int32(-1), x = x);"
        + "tensor<fp16, [4, 64]> b = reshape(shape = tensor<int32, [2]>([4, 64]), x = a);"
        + "tensor<fp16, [64, 64]> y = matmul(transpose_x = bool(true), transpose_y = bool(false),"
        + " x = b, y = b);")
    #expect(work.ops.map(\.kind) == [.softmax, .free, .matmul])
    #expect(work.ops.map(\.amount) == [256, 0, 2 * 64 * 64 * 4])
    let time = work.time(on: cost)
    #expect(time.products == 32)
    #expect(time.passes == 256 / 64)
    #expect(time.bound == "bandwidth", "8192 bytes leave at 256 a second")
  }

  @Test func sizesAndWidthsSlowProductsDown() throws {
    let even = try work(
      "tensor<fp16, [1, 1, 64, 64]> y = matmul(transpose_x = bool(false),"
        + " transpose_y = bool(true), x = x, y = x);", input: "[1, 1, 64, 4]")
    let uneven = try work(
      "tensor<fp16, [1, 1, 32, 32]> y = matmul(transpose_x = bool(false),"
        + " transpose_y = bool(true), x = x, y = x);", input: "[1, 1, 32, 4]")
    #expect(even.time(on: cost).products == 2 * 64 * 64 * 4 / 1024)
    #expect(uneven.time(on: cost).products == 2 * 2 * 32 * 32 * 4 / 1024)
    var small = cost
    small.programBytesMax = 1 << 12
    #expect(even.time(on: small).products == 2 * even.time(on: cost).products)
    small.programSlowdown = 3
    #expect(even.time(on: small).products == 6 * even.time(on: cost).products)
  }

  @Test func whatStandsInTheProgramIsNotStreamed() throws {
    let small = try work(
      "tensor<fp16, [1, 4, 1, 64]> y = mul(x = x, y = fp16(2));")
    #expect((small.weightBytes, small.streamedBytes) == (2, 0))
    let values = (0..<64).map { "\($0)" }.joined(separator: ", ")
    let large = try work(
      "tensor<fp16, [1, 4, 1, 64]> y = mul(x = x, y = tensor<fp16, [64]>([\(values)]));")
    #expect(large.streamedBytes == 128)
    #expect(cost.compileTime(weightBytes: 128) == 2 + 64)
  }

  @Test func ratesThatNobodyKnowsAreLeftOut() throws {
    let time = try work("tensor<fp16, [1, 4, 1, 64]> y = relu(x = x);").time(on: Profile.cpu.cost)
    #expect(time.memory == 0)
    #expect(time.dispatch == 0)
    #expect(time.seconds > 0)
  }

  @Test func aTextThatDoesNotCheckTellsItsFaults() {
    let text = "program(1.3) { func main<ios18>(tensor<fp16, [1, 64]> x) { } -> (y); }"
    #expect(throws: DiagnosticList.self) {
      try TextEstimate.estimates(utf8: Array(text.utf8), modelDirectory: nil, profiles: Profile.all)
    }
  }
}

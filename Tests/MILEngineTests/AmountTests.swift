import Testing

@testable import MILEngine

/// Amounts that only the run knows: they must lead to the declared shapes.
@Suite struct AmountTests {
  private func run(
    _ body: String, _ x: [Double], _ amounts: [Double], shape: String, out: String
  ) throws -> [Double] {
    let function = try engineFunction(
      "tensor<fp32, \(out)> y = \(body);",
      inputs: "tensor<fp32, \(shape)> x, tensor<int32, [\(amounts.count)]> n", out: "y")
    return try function.run([x, amounts])[0]
  }

  private func message(_ body: () throws -> [Double]) -> String {
    do {
      return "\(try body())"
    } catch let error as EngineError {
      return error.message
    } catch { return "\(error)" }
  }

  @Test func tilesOfTheRun() throws {
    let tile = { (reps: [Double]) in
      try self.run("tile(x = x, reps = n)", [1, 2, 3], reps, shape: "[1, 3]", out: "[2, 6]")
    }
    #expect(try tile([2, 2]) == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
    #expect(message { try tile([1, 2]) }.contains("`reps` is [1, 2]"))
    #expect(message { try tile([2, -2]) }.contains("asks for [2, 2]"))
    let wrong = message {
      try run("tile(x = x, reps = n)", [1, 2, 3], [1, 1], shape: "[1, 3]", out: "[2, 4]")
    }
    #expect(wrong.contains("no whole number of [1, 3]"))
  }

  @Test(arguments: [
    ("", [0, 0, 1, 2, 0, 0, 3, 4]), (", mode = string(\"replicate\")", [1, 1, 1, 2, 3, 3, 3, 4]),
  ]) func paddingOfTheRun(_ mode: String, _ expected: [Double]) throws {
    let pad = { (amounts: [Double]) in
      try self.run(
        "pad(x = x, pad = n\(mode))", [1, 2, 3, 4], amounts, shape: "[2, 2]", out: "[2, 4]")
    }
    #expect(try pad([2, 0]) == expected)
    #expect(message { try pad([1, 0]) }.contains("axis 1 are 1, 0"))
    #expect(message { try pad([3, -1]) }.contains("axis 1 are 3, -1"))
  }

  @Test func paddingByReflectionOfTheRun() throws {
    let body = "pad(x = x, pad = n, mode = string(\"reflect\"))"
    let pad = { (amounts: [Double]) in
      try self.run(body, [1, 2, 3, 4, 5, 6], amounts, shape: "[2, 3]", out: "[3, 5]")
    }
    #expect(try pad([1, 0, 1, 1]) == [5, 4, 5, 6, 5, 2, 1, 2, 3, 2, 5, 4, 5, 6, 5])
    #expect(message { try pad([1, 0, 2, 1]) }.contains("does not make"))
    #expect(message { try pad([1, 0, 1, 1, 0, 0]) }.contains("by the [6] amounts"))
  }

  @Test func valuesThatPadTakesAreTheText() throws {
    let padded = try run(
      "pad(x = x, pad = n, constant_val = fp32(-1))", [1, 2], [1, 1], shape: "[2]", out: "[4]")
    #expect(padded == [-1, 1, 2, -1])
  }

  @Test func rangesHaveTheLengthThatIsDeclared() throws {
    let function = try engineFunction(
      "tensor<int32, [3]> y = range_1d(start = int32(1), end = n, step = int32(2));",
      inputs: "int32 n", out: "y")
    #expect(try function.run([[6]]) == [[1, 3, 5]])
    #expect(try function.run([[7]]) == [[1, 3, 5]])
    let message = message { try function.run([[8]])[0] }
    #expect(message.contains("there are 4.0 elements, but the result is declared with 3"))
    #expect(throws: EngineError.self) { try function.run([[-5]]) }
    let still = try engineFunction(
      "tensor<fp32, [3]> y = range_1d(start = fp32(1), end = fp32(7), step = n);",
      inputs: "fp32 n", out: "y")
    #expect(try still.run([[2]]) == [[1, 3, 5]])
    #expect(throws: EngineError.self) { try still.run([[0]]) }
  }
}

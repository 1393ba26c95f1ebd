import Testing

@testable import MILEngine

/// What follows from sizes alone is known once the sizes are.
@Suite struct SettlingTests {
  private func text(_ body: String, _ shape: String = "[3, 2, 4]") -> String {
    """
    program(1.3)
    {
        func main<ios17>(tensor<fp32, [?, 2, 4]> x) [FlexibleShapeInformation = \
    tuple<tuple<string, dict<string, tensor<int32, [?]>>>>((("DefaultShapes", {{"x", \(shape)}})))] {
    \(body)
        } -> (y);
    }
    """
  }

  private let rows = """
    tensor<int32, [3]> sizes = shape(x = x);
    int32 first = gather(x = sizes, indices = int32(0), axis = int32(0));
    """

  /// The value that the checker gives a name before any run.
  private func constant(_ name: String, _ text: String) throws -> [Double]? {
    let function = try Checker.check(Parser.parse(text), modelDirectory: nil).functions[0]
    let value = try #require(function.values.first { $0.name == name })
    return value.constant.flatMap { ConstantValue(type: value.type, source: $0)?.numbers }
  }

  @Test func sizesAndWhatIsComputedFromThemAreConstants() throws {
    let program = text(
      rows + """
        tensor<int32, [1]> row = expand_dims(x = first, axes = tensor<int32, [1]>([0]));
        tensor<int32, [2]> flat = concat(values = (row, tensor<int32, [1]>([8])), axis = int32(0), \
        interleave = bool(false));
        tensor<fp32, [?, 8]> y = reshape(x = x, shape = flat);
        """)
    #expect(try constant("sizes", program) == [3, 2, 4])
    #expect(try constant("first", program) == [3])
    #expect(try constant("flat", program) == [3, 8])
    let tree = try Parser.parse(program)
    let function = try Checker.check(tree, modelDirectory: nil).functions[0]
    #expect(function.values[function.outputs[0]].type.shape == [3, 8])
    let bound = try tree.binding(["x": [5, 2, 4]], of: "main").text()
    #expect(bound.contains("tensor<fp32, [5, 8]> y = reshape"))
  }

  @Test func branchesOfTheRunStayOpen() throws {
    let random = text(
      rows + """
        tensor<int32, [2]> size = const()[val = tensor<int32, [2]>([3, 8])];
        tensor<fp32, [3, 8]> r = random_uniform(shape = size, low = fp32(0), high = fp32(1), \
        seed = int32(1));
        tensor<fp32, [?, 8]> y = reshape(x = x, shape = size);
        """)
    #expect(try constant("r", random) == nil)
    let values = text(
      rows + """
        tensor<fp32, [?, 2, 4]> z = exp(x = x);
        tensor<fp32, [?, 2, 4]> y = add(x = z, y = z);
        """)
    #expect(try constant("z", values) == nil)
  }

  /// Large results are computed by the run, and the same.
  @Test func largeResultsAreLeftToTheRun() throws {
    let program = text(
      rows + """
        int32 many = mul(x = first, y = int32(2000));
        tensor<int32, [?]> places = range_1d(start = int32(0), end = many, step = int32(1));
        int32 last = reduce_max(x = places, axes = tensor<int32, [1]>([0]), keep_dims = bool(false));
        fp32 top = cast(x = last, dtype = string("fp32"));
        tensor<fp32, [?, 2, 4]> y = add(x = x, y = top);
        """)
    #expect(try constant("many", program) == [6000])
    #expect(try constant("places", program) == nil)
    let checked = try Checker.check(Parser.parse(program), modelDirectory: nil)
    let plan = try Plan(checked.functions[0], arithmetic: .ieee)
    #expect(!plan.steps.isEmpty)
  }

  @Test func listedShapesAreTheOnlyOnes() throws {
    let listed = text("    tensor<fp32, [?, 2, 4]> y = exp(x = x);").replacing(
      "{{\"x\", [3, 2, 4]}})",
      with: "{{\"x\", [3, 2, 4]}}), (\"EnumeratedShapes\", {{\"a\", {{\"x\", [5, 2, 4]}}}, "
        + "{\"b\", {{\"x\", [9, 2, 4]}}}})")
    let tree = try Parser.parse(listed)
    for rows in [3, 5, 9] {
      let bound = try tree.binding(["x": [rows, 2, 4]], of: "main").text()
      #expect(bound.contains("tensor<fp32, [\(rows), 2, 4]> y"))
    }
    let fault = #expect(throws: DiagnosticList.self) {
      try tree.binding(["x": [4, 2, 4]], of: "main")
    }
    let said = fault?.text(file: "t") ?? ""
    #expect(said.contains("none of those that it lists: x [5, 2, 4]; x [9, 2, 4]"), "\(said)")
  }
}

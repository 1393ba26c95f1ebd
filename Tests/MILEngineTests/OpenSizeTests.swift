import Testing

@testable import MILEngine

/// Functions that leave sizes open: at their default sizes, at chosen ones, and refused.
@Suite struct OpenSizeTests {
  private static let text = """
    program(1.3)
    {
        func main<ios17>(tensor<fp32, [?, 2, ?]> x, tensor<fp32, [2]> y) \
    [FlexibleShapeInformation = tuple<tuple<string, dict<string, tensor<int32, [?]>>>, \
    tuple<string, dict<string, list<tensor<int32, [2]>, ?>>>>((("DefaultShapes", {{"x", [3, 2, 4]}}), \
    ("RangeDims", {{"x", [[1, 5], [2, 2], [1, -1]]}})))] {
            tensor<int32, [3]> order = const()[val = tensor<int32, [3]>([2, 0, 1])];
            tensor<fp32, [?, ?, 2]> t = transpose(perm = order, x = x);
            tensor<fp32, [?, ?, 2]> z = add(x = t, y = y);
        } -> (z);
    }
    """

  private func shapes(_ tree: SyntaxTree) throws -> [[Int]] {
    let function = try Checker.check(tree, modelDirectory: nil).functions[0]
    return (function.inputs + function.outputs).map { function.values[$0].type.shape }
  }

  @Test func defaultSizesAreTaken() throws {
    #expect(try shapes(Parser.parse(Self.text)) == [[3, 2, 4], [2], [4, 3, 2]])
  }

  @Test func chosenSizesAreWrittenIntoTheText() throws {
    let bound = try Parser.parse(Self.text).binding(["x": [5, 2, 7]], of: "main")
    #expect(try shapes(bound) == [[5, 2, 7], [2], [7, 5, 2]])
    let printed = bound.text()
    #expect(printed.contains("tensor<fp32, [7, 5, 2]> z = add"))
    #expect(!printed.contains("tensor<fp32, [?"))
    #expect(try Parser.parse(printed).text() == printed)
  }

  @Test(arguments: [
    (["x": [6, 2, 4]], "size 0 of `x` must be from 1 to 5, but 6 came"),
    (["x": [3, 2]], "which [3, 2] does not fit"), (["x": [3, 3, 4]], "does not fit"),
    (["x": [3, 2, 0]], "does not fit"), (["w": [1]], "inputs of `main` are x, y"),
    (["y": [3]], "does not fit"),
  ]) func chosenSizesMustFit(_ sizes: [String: [Int]], _ message: String) throws {
    let tree = try Parser.parse(Self.text)
    let fault = #expect(throws: DiagnosticList.self) { try tree.binding(sizes, of: "main") }
    #expect(fault?.text(file: "t").contains(message) == true, "\(fault?.text(file: "t") ?? "")")
    #expect(throws: DiagnosticList.self) { try tree.binding(sizes, of: "other") }
  }

  @Test func withoutSizesAFunctionIsRefusedWhereItSaysSo() {
    let text = Self.text.replacing("DefaultShapes", with: "OtherShapes")
    let found = faults(text)
    #expect(found.map(\.rule) == ["unknown-dimension"])
    #expect(found.first?.span?.start.line == 3)
    #expect(found.first?.message.contains("dimension 0, 2 of `x`") == true)
  }

  @Test(arguments: SampleFiles.mil) func appleFilesRunAsTheyAre(_ path: String) throws {
    let text = SampleFiles.text(of: path)
    let unknown = faults(text).filter { $0.rule == "unknown-op" }
    guard unknown.isEmpty else { return }
    let program = try Checker.check(Parser.parse(text), modelDirectory: nil)
    for function in program.functions {
      let plan = try Plan(function, arithmetic: .ieee)
      #expect(!plan.steps.isEmpty || plan.outputs.allSatisfy { $0.isReturned })
    }
  }
}

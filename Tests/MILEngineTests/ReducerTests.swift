import ANEProfiles
import Testing

@testable import MILEngine

@Suite struct ReducerTests {
  /// A chain of ops with a constant each, and one `rsqrt` in it.
  private static func chain(_ count: Int, broken: Int) -> String {
    let statements = (0..<count).map { index -> String in
      let x = index == 0 ? "x" : "v\(index - 1)"
      let type = "tensor<fp16, [1, 64, 1, 64]>"
      if index == broken {
        return
          "fp16 e = const()[val = fp16(0.5)]; \(type) v\(index) = rsqrt(epsilon = e, x = \(x));"
      }
      return "fp16 c\(index) = const()[val = fp16(0.5)];"
        + " \(type) v\(index) = \(index % 2 == 0 ? "add" : "mul")(x = \(x), y = c\(index));"
    }
    return program(
      statements.joined(separator: "\n"), inputs: "tensor<fp16, [1, 64, 1, 64]> x",
      out: "v\(count - 1)")
  }

  private static func rules(_ text: String) -> Set<String> {
    let found = TextCheck(text, modelDirectory: nil, profiles: [.standard]).findings
    return Set(found.filter { $0.diagnostic.severity == .error }.map(\.diagnostic.rule))
  }

  @Test(arguments: [0, 3, 250, 499]) func fiveHundredOpsBecomeOne(_ broken: Int) throws {
    let text = Self.chain(500, broken: broken)
    var tries = 0
    let small = try Reducer.reduce(text) {
      tries += 1
      return Self.rules($0) == ["no-rsqrt"]
    }
    let tree = try Parser.parse(small)
    let ops = tree.functions[0].body.operations.map(\.op)
    #expect(ops.filter { $0 != "const" } == ["rsqrt"])
    #expect(Self.rules(small) == ["no-rsqrt"])
    #expect(tries < 200, "\(tries) tries")
  }

  @Test func everyCandidateIsWellFormed() throws {
    let text = program(
      """
      int32 axis = const()[val = int32(1)];
      tensor<int32, [2]> sizes = const()[val = tensor<int32, [2]>([32, 32])];
      tensor<fp16, [1, 32, 1, 64]> a, tensor<fp16, [1, 32, 1, 64]> b = split(axis = axis, \
      split_sizes = sizes, x = x);
      tensor<fp16, [1, 32, 1, 64]> c = sub(x = a, y = b);
      tensor<fp16, [1, 32, 1, 64]> d = gelu(x = c);
      tensor<fp16, [1, 32, 1, 64]> y = exp(x = d);
      """, inputs: "tensor<fp16, [1, 64, 1, 64]> x", out: "y, b")
    let small = try Reducer.reduce(text) { candidate in
      #expect((try? Checker.check(Parser.parse(candidate), modelDirectory: nil)) != nil)
      return Self.rules(candidate).contains("gelu")
    }
    let body = try #require(try Parser.parse(small).functions.first?.body)
    #expect(body.operations.map(\.op) == ["gelu"])
  }

  @Test func shapesAndTrimmingsShrink() throws {
    let text = """
      program(1.3)
      [buildInfo = dict<string, string>({{"a", "b"}})]
      {
          func other<ios18>(tensor<fp16, [1, 64, 1, 64]> x) {
              tensor<fp16, [1, 64, 1, 64]> y = relu(x = x);
          } -> (y);
          func main<ios18>(tensor<fp16, [1, 640, 1, 96]> x) {
              tensor<int32, [4]> s = const()[val = tensor<int32, [4]>([1, 96, 1, 640])];
              tensor<fp16, [1, 96, 1, 640]> r = reshape(x = x, shape = s)[name = string("r")];
              tensor<fp16, [1, 96, 1, 640]> y = tanh(x = r)[name = string("y")];
          } -> (y);
      }
      """
    let small = try Reducer.reduce(text) { $0.contains("reshape(") }
    let tree = try Parser.parse(small)
    #expect(tree.functions.map(\.name) == ["main"] && tree.attributes.isEmpty)
    #expect(tree.functions[0].body.operations.filter { $0.op != "const" }.map(\.op) == ["reshape"])
    #expect(!small.contains("640") && !small.contains("96"), "\(small)")
    #expect(!small.contains("name = "))
  }

  @Test func aTextThatIsNotWellFormedShrinksToo() throws {
    let text = program(
      """
      tensor<fp16, [4]> a = relu(x = x);
      tensor<fp16, [5]> b = relu(x = a);
      tensor<fp16, [4]> y = exp(x = a);
      """, inputs: "tensor<fp16, [4]> x", out: "y")
    let small = try Reducer.reduce(text) { candidate in
      TextCheck(candidate, modelDirectory: nil, profiles: []).findings.map(\.diagnostic.rule)
        == ["type-mismatch"]
    }
    #expect(try Parser.parse(small).functions[0].body.operations.count == 1)
  }

  @Test func theJudgeCanEndTheSearch() throws {
    let text = Self.chain(20, broken: 3)
    var tries = 0
    let small = try Reducer.reduce(text) { _ in
      tries += 1
      return tries > 3 ? nil : true
    }
    #expect(tries == 4)
    #expect(small != text)
  }
}

@Suite struct ExposureTests {
  private let text = program(
    """
    tensor<fp16, [1, 64, 1, 32]> a = relu(x = x);
    bool no = const()[val = bool(false)];
    tensor<fp16, [1, 64, 1, 32]> y = exp(x = a);
    """, out: "y")

  @Test func resultsOnTheWayAreReturnedInTheOrderOfTheProgram() throws {
    let exposure = try #require(try Exposure(text, function: "main"))
    #expect(exposure.results.map(\.name) == ["a", "y"])
    #expect(exposure.results.map(\.op) == ["relu", "exp"])
    let outputs = try Checker.check(try Parser.parse(exposure.text), modelDirectory: nil)
      .functions[0]
    #expect(outputs.outputs.map { outputs.values[$0].name } == ["y", "a"])
  }

  @Test func onlyNamedOnesWhenNamesAreGiven() throws {
    #expect(try Exposure(text, function: "main", names: [])?.results.map(\.name) == ["y"])
    #expect(try Exposure(text, function: "other")?.text == nil)
  }
}

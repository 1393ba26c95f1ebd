import Testing

@testable import MILEngine

/// Blocks and states: what they compute, what they refuse, and how they stop.
@Suite struct ControlFlowTests {
  private static let vector = "tensor<fp32, [4]>"

  private static let branches = """
    \(vector) two = const()[val = \(vector)([2, 2, 2, 2])];
    \(vector) y = cond(pred = p)[name = string("c")] yes() {
      \(vector) a = mul(x = x, y = two);
    } -> (a) no() {
      \(vector) b = add(x = x, y = two);
    } -> (b);
    \(vector) out = add(x = y, y = x);
    """

  @Test(arguments: [(1.0, [3.0, 6, 9, 12]), (0.0, [4.0, 6, 8, 10])])
  func oneOfTwoBlocksRuns(_ predicate: Double, _ expected: [Double]) throws {
    let function = try engineFunction(
      Self.branches, inputs: "bool p, \(Self.vector) x", out: "out")
    #expect(try function.run([[predicate], [1, 2, 3, 4]]) == [expected])
  }

  /// Collatz steps until 1, in a loop with two variables, one of which goes through a branch.
  private static let collatz = """
    int32 steps, int32 last = while_loop(loop_vars = (int32(0), n)) test(int32 s, int32 v) {
      bool more = not_equal(x = v, y = one);
    } -> (more) body(int32 s, int32 v) {
      int32 rest = mod(x = v, y = int32(2));
      bool even = equal(x = rest, y = int32(0));
      int32 w = cond(pred = even) yes() {
        int32 half = floor_div(x = v, y = int32(2));
      } -> (half) no() {
        int32 triple = mul(x = v, y = int32(3));
        int32 next = add(x = triple, y = one);
      } -> (next);
      int32 t = add(x = s, y = one);
    } -> (t, w);
    """

  @Test(arguments: [(1.0, 0.0), (2.0, 1), (7.0, 16), (27.0, 111)])
  func aLoopRunsUntilItsConditionFails(_ start: Double, _ steps: Double) throws {
    let function = try engineFunction(
      "int32 one = const()[val = int32(1)];\n" + Self.collatz, inputs: "int32 n",
      out: "steps, last")
    #expect(try function.run([[start]]) == [[steps], [1]])
  }

  /// Variables that change places, so that the body's results are its own inputs.
  @Test func variablesMayChangePlaces() throws {
    let body = """
      int32 i, \(Self.vector) a, \(Self.vector) b = while_loop(loop_vars = (int32(0), x, y))
        test(int32 n, \(Self.vector) u, \(Self.vector) v) {
          bool more = less(x = n, y = int32(3));
        } -> (more)
        body(int32 n, \(Self.vector) u, \(Self.vector) v) {
          int32 m = add(x = n, y = int32(1));
        } -> (m, v, u);
      """
    let function = try engineFunction(
      body, inputs: "\(Self.vector) x, \(Self.vector) y", out: "i, a, b")
    let (x, y) = ([1.0, 2, 3, 4], [5.0, 6, 7, 8])
    #expect(try function.run([x, y]) == [[3], y, x])
  }

  /// Weights outside of a block stay constants inside, packed ones and made ones too.
  @Test func aBlockUsesWeightsOfItsFunction() throws {
    let body = """
      tensor<int8, [4, 4]> q = const()[val = tensor<int8, [4, 4]>(\(Self.identity))];
      tensor<fp32, [4, 1]> s = const()[val = tensor<fp32, [4, 1]>([[2], [2], [2], [2]])];
      tensor<fp32, [4, 4]> w = constexpr_blockwise_shift_scale(data = q, scale = s);
      int32 i, tensor<fp32, [1, 4]> a = while_loop(loop_vars = (int32(0), x))
        test(int32 n, tensor<fp32, [1, 4]> u) {
          bool more = less(x = n, y = int32(5));
        } -> (more)
        body(int32 n, tensor<fp32, [1, 4]> u) {
          int32 m = add(x = n, y = int32(1));
          tensor<fp32, [1, 4]> v = linear(weight = w, x = u);
        } -> (m, v);
      """
    let function = try engineFunction(body, inputs: "tensor<fp32, [1, 4]> x", out: "a")
    #expect(try function.run([[1, 2, 3, 4]]) == [[32, 64, 96, 128]])
  }

  private static let identity = "[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]"

  private static let endless = """
    int32 i = while_loop(loop_vars = (n)) test(int32 a) {
      bool more = equal(x = a, y = a);
    } -> (more) body(int32 a) {
      int32 b = add(x = a, y = int32(1));
    } -> (b);
    """

  @Test func anEndlessLoopIsCancelled() async throws {
    let function = try engineFunction(Self.endless, inputs: "int32 n", out: "i")
    let run = Task.detached { try function.run([[0]]) }
    // Asked until it hears: the run may not have begun.
    let asking = Task.detached {
      while !Task.isCancelled {
        function.cancel()
        await Task.yield()
      }
    }
    await #expect(throws: EngineError.self) { try await run.value }
    asking.cancel()
    _ = await asking.value
  }

  @Test func stateStaysBetweenRuns() throws {
    let body = """
      \(Self.vector) before = read_state(input = kv);
      \(Self.vector) sum = add(x = before, y = x);
      write_state(data = sum, input = kv)[name = string("w")];
      \(Self.vector) after = read_state(input = kv);
      \(Self.vector) y = add(x = before, y = after);
      """
    let function = try engineFunction(
      body, inputs: "\(Self.vector) x, state<\(Self.vector)> kv", out: "y")
    #expect(function.inputs.map(\.name) == ["x"])
    #expect(function.states.map(\.name) == ["kv"])
    #expect(try function.run([[1, 2, 3, 4]]) == [[1, 2, 3, 4]])
    #expect(try function.run([[1, 1, 1, 1]]) == [[3, 5, 7, 9]])
    var held: [Float] = []
    try function.state(0) { held = Array($0.bindMemory(to: Float.self)) }
    #expect(held == [2, 3, 4, 5])
    try function.resetStates()
    #expect(try function.run([[1, 2, 3, 4]]) == [[1, 2, 3, 4]])
  }

  /// What a function writes and returns is one value; a state that is only written needs no result.
  @Test func updatesAndFunctionsWithoutResults() throws {
    let body = """
      \(Self.vector) y = coreml_update_state(state = kv, value = x);
      """
    let function = try engineFunction(
      body, inputs: "\(Self.vector) x, state<\(Self.vector)> kv", out: "y")
    #expect(try function.run([[1, 2, 3, 4]]) == [[1, 2, 3, 4]])
    let silent = try engineFunction(
      "write_state(data = x, input = kv);",
      inputs: "\(Self.vector) x, state<\(Self.vector)> kv", out: "")
    #expect(try silent.run([[1, 2, 3, 4]]) == [])
  }

  /// Statements over `x`, `p` and the state `kv`, the rule they break, and a part of the message.
  static let broken: [(statements: String, rule: String, message: String)] = [
    ("\(vector) y = relu(x = kv);", "unsupported-type", "`kv` is a state"),
    ("\(vector) y = read_state(input = x);", "type-mismatch", "must name a state"),
    (
      "write_state(data = p, input = kv);\n\(vector) y = relu(x = x);", "type-mismatch",
      "the state holds fp32 [4], but `data` is bool []"
    ),
    (
      """
      \(vector) y = cond(pred = p) a() {
        write_state(data = x, input = kv);
      } -> (x) b() { } -> (x);
      """, "unsupported-op", "written inside a block"
    ),
    ("\(vector) y = cond(pred = x) a() { } -> (x) b() { } -> (x);", "type-mismatch", "one bool"),
    ("\(vector) y = cond(pred = p) a() { } -> (x) b() { } -> (p);", "type-mismatch", "blocks give"),
    ("\(vector) y = cond(pred = p) a() { } -> (x);", "unsupported-op", "takes 2 nested blocks"),
    (
      "\(vector) y = cond(pred = p) a() { } -> (z) b() { } -> (x);", "unknown-value",
      "unknown value `z`"
    ),
    (
      """
      \(vector) y = cond(pred = p) a() {
        \(vector) x = relu(x = x);
      } -> (x) b() { } -> (x);
      """, "single-assignment", "`x` is defined already"
    ),
    (
      "\(vector) y = while_loop(loop_vars = (x)) a(\(vector) u) { } -> (p)"
        + " b(bool u) { } -> (x);", "type-mismatch", "body's parameters"
    ),
  ]

  @Test(arguments: broken.indices)
  func faultsAreNamed(_ index: Int) throws {
    let (statements, rule, message) = Self.broken[index]
    let text = program(
      statements, inputs: "\(Self.vector) x, bool p, state<\(Self.vector)> kv", out: "y")
    let found = faults(text)
    #expect(found.count == 1, "\(found)")
    #expect(found.first?.rule == rule)
    #expect(found.first?.message.contains(message) == true, "\(found)")
  }

  @Test func nestedBlocksPrintBack() throws {
    let text = program(
      Self.branches + "\nwrite_state(data = out, input = kv);",
      inputs: "\(Self.vector) x, bool p, state<\(Self.vector)> kv", out: "out")
    let tree = try Parser.parse(text)
    let printed = tree.text()
    #expect(try Parser.parse(printed).text() == printed)
    #expect(try Checker.check(Parser.parse(printed), modelDirectory: nil).functions.count == 1)
  }
}

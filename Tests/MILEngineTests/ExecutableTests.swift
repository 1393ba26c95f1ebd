import ANEProfiles
import Dispatch
import Synchronization
import Testing

@testable import MILEngine

/// Functions on the caller's memory: strides, types, aliases, threads, and wrong calls.
@Suite struct ExecutableTests {
  private func sum(_ dtype: String, _ arithmetic: Arithmetic = .ieee) throws -> ExecutableFunction {
    try engineFunction(
      "tensor<\(dtype), [2, 3, 5]> z = add(x = x, y = y);",
      inputs: "tensor<\(dtype), [2, 3, 5]> x, tensor<\(dtype), [2, 3, 5]> y", out: "z",
      arithmetic: arithmetic)
  }

  @Test(arguments: ["fp16", "fp32", "int32"], [0, 20]) func stridedRows(_ dtype: String, _ gap: Int)
    throws
  {
    let function = try sum(dtype)
    let (a, b) = ((0..<30).map(Double.init), (0..<30).map { Double(100 - $0 * 2) })
    let x = HostTensor(function.inputs[0].type, a, padding: gap)
    let y = HostTensor(function.inputs[1].type, b)
    let z = HostTensor(function.outputs[0].type, padding: gap)
    try function.run(inputs: [x, y], outputs: [z])
    #expect(z.values == zip(a, b).map { $0 + $1 })
    #expect(x.values == a && x.gapsAreUntouched && z.gapsAreUntouched)
  }

  @Test func smallTypesWidenAndNarrow() throws {
    for dtype in ["int8", "uint8", "int16", "uint16", "bool"] {
      let function = try engineFunction(
        "tensor<\(dtype), [2, 2]> y = transpose(x = x, perm = tensor<int32, [2]>([1, 0]));",
        inputs: "tensor<\(dtype), [2, 2]> x", out: "y")
      let values: [Double] =
        switch dtype {
        case "bool": [0, 1, 0, 1]
        case "int8", "int16": [-3, 100, 0, 7]
        default: [200, 100, 0, 7]
        }
      #expect(try function.run([values])[0] == [values[0], values[2], values[1], values[3]])
    }
  }

  @Test func floatInputsAreRoundedAtTheEnginesDoor() throws {
    let function = try engineFunction(
      "tensor<fp32, [3]> z = identity(x = x);", inputs: "tensor<fp32, [3]> x", out: "z",
      arithmetic: .engine)
    #expect(try function.run([[2049, 0.1, 1e6]])[0] == [2048, Double(Float16(0.1)), .infinity])
  }

  @Test func denseFloatMemoryIsUsedInPlace() throws {
    let function = try sum("fp32")
    #expect(function.stepNames == ["ChainStep"])
    let x = HostTensor(function.inputs[0].type, [Double](repeating: 1, count: 30))
    // The result may go where an operand is.
    try function.run(inputs: [x, x], outputs: [x])
    try function.run(inputs: [x, x], outputs: [x])
    #expect(x.values == [Double](repeating: 4, count: 30))
  }

  @Test func outputsMayLieWhereInputsAre() throws {
    // Writing the first result early would change what the second is made from.
    let function = try engineFunction(
      """
      tensor<fp32, [4]> a = exp(x = x);
      tensor<fp32, [4]> s = softmax(x = x, axis = int32(0));
      tensor<fp32, [4]> b = add(x = s, y = x);
      """, inputs: "tensor<fp32, [4]> x", out: "a, b")
    let x = HostTensor(function.inputs[0].type, [0, 0, 0, 0])
    let b = HostTensor(function.outputs[1].type)
    try function.run(inputs: [x], outputs: [x, b])
    #expect(x.values == [1, 1, 1, 1])
    #expect(b.values == [0.25, 0.25, 0.25, 0.25])
  }

  @Test func inputsCanBeExchanged() throws {
    let function = try engineFunction(
      "tensor<fp32, [2]> a = identity(x = y); tensor<fp32, [2]> b = identity(x = x);",
      inputs: "tensor<fp32, [2]> x, tensor<fp32, [2]> y", out: "a, b")
    let x = HostTensor(function.inputs[0].type, [1, 2])
    let y = HostTensor(function.inputs[1].type, [3, 4])
    try function.run(inputs: [x, y], outputs: [x, y])
    #expect((x.values, y.values) == ([3, 4], [1, 2]))
  }

  @Test func outputsThatNoOpMakes() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [2]> c = const()[val = tensor<fp32, [2]>([5, 6])];
      tensor<fp32, [1, 2]> v = reshape(x = x, shape = tensor<int32, [2]>([1, 2]));
      tensor<fp32, [2]> e = exp(x = x);
      tensor<fp32, [2, 1]> f = reshape(x = e, shape = tensor<int32, [2]>([2, 1]));
      """, inputs: "tensor<fp32, [2]> x, tensor<fp32, [2]> unused", out: "c, v, x, e, f")
    #expect(try function.run([[0, 0], [9, 9]]) == [[5, 6], [0, 0], [0, 0], [1, 1], [1, 1]])
  }

  @Test func severalFunctions() throws {
    let text = """
      program(1.3)
      [buildInfo = dict<string, string>({})]
      {
          func second<ios18>(tensor<fp32, [2]> x) {
                  tensor<fp32, [2]> y = add(x = x, y = fp32(2));
              } -> (y);
          func first<ios18>(tensor<fp32, [3]> x) {
                  tensor<fp32, [3]> y = mul(x = x, y = fp32(3));
              } -> (y);
      }
      """
    let folder = TemporaryFolder()
    _ = try CompiledProgram.compile(
      text: text, modelDirectory: folder.path, profile: .cpu, directory: folder.path + "/p",
      packs: folder.path + "/packs")
    let program = try CompiledProgram.load(
      directory: folder.path + "/p", packs: folder.path + "/packs")
    #expect(program.functions.map(\.name) == ["second", "first"])
    #expect(try program.function(named: "second")?.run([[1, 2]]) == [[3, 4]])
    #expect(try program.function(named: "first")?.run([[1, 2, 3]]) == [[3, 6, 9]])
  }

  @Test func callsAtTheSameTimeDoNotDisturbEachOther() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [64, 64]> a = matmul(x = x, y = x);
      tensor<fp32, [64, 64]> b = softmax(x = a, axis = int32(1));
      tensor<fp32, [64, 64]> y = add(x = b, y = x);
      """, inputs: "tensor<fp32, [64, 64]> x", out: "y")
    var dice = Dice(3)
    let given = (0..<4).map { _ in dice.halves(4096, -1...1) }
    let expected = try given.map { try function.run([$0])[0] }
    let wrong = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 40) { index in
      let result = try? function.run([given[index % 4]])[0]
      if result != expected[index % 4] { wrong.withLock { $0 += 1 } }
    }
    #expect(wrong.withLock { $0 } == 0)
  }

  @Test func wrongCallsAreNamed() throws {
    let function = try sum("fp32")
    let x = HostTensor(function.inputs[0].type)
    func message(_ inputs: [MemoryView], _ outputs: [MemoryView]) -> String {
      do {
        try function.run(inputs: inputs, outputs: outputs)
        return "no error"
      } catch { return error.message }
    }
    #expect(message([x.view], [x.view]) == "function `main` has 2 inputs, but 1 were given")
    #expect(message([x.view, x.view], []) == "function `main` has 1 outputs, but 0 were given")
    #expect(
      message([x.view, MemoryView(address: x.memory, rowBytes: 16)], [x.view])
        == "input 1 of function `main` has rows of 20 bytes, but they were given 16 apart")
  }
}

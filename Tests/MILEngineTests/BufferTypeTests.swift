import Testing

@testable import MILEngine

/// Functions whose inputs and outputs are buffers, as texts for the engine alone have them.
@Suite struct BufferTypeTests {
  private static let layout =
    "shape=[1, 1, 2, 4], strides=[64, 64, 32, 2], interleave_factors=[1, 1, 1, 1]"
  private static let body = """
    tensor<fp16, [1, 1, 2, 4]> t = tensor_buffer_to_tensor<ios17>(input = x);
    tensor<fp16, [1, 1, 2, 4]> u = add(x = t, y = fp16(1));
    tensor_buffer<fp16, \(layout)> y = tensor_to_tensor_buffer<ios17>(input = u, \
    interleave_factors = tensor<uint8, [4]>([1, 1, 1, 1]), \
    strides = tensor<int64, [4]>([64, 64, 32, 2]));
    """

  @Test func aBufferIsTheTensorOfItsShape() throws {
    let function = try engineFunction(
      Self.body, inputs: "tensor_buffer<fp16, \(Self.layout)> x", out: "y")
    #expect(function.inputs.map(\.type) == [TensorType(.fp16, [1, 1, 2, 4])])
    #expect(try function.run([[1, 2, 3, 4, 5, 6, 7, 8]]) == [[2, 3, 4, 5, 6, 7, 8, 9]])
  }

  @Test func bufferTypesPrintBack() throws {
    let text = program(Self.body, inputs: "tensor_buffer<fp16, \(Self.layout)> x", out: "y")
    let printed = try Parser.parse(text).text()
    #expect(printed.contains("tensor_buffer<fp16, \(Self.layout)> y"))
    #expect(try Parser.parse(printed).text() == printed)
  }

  /// What stands beside a program without being of any op is kept.
  @Test func unknownAttributesAndOtherTypesAreKept() throws {
    let text = program(
      """
      list<string, 2> names = const()[val = list<string, 2>(["a", "b"])];
      fp16 y = relu(x = x)[BackendSupport = list<string, 1>(["ane"]), \
      EstimatedRuntime = dict<string, fp64>({{"ane", 0.00467}}), milId = uint64(7)];
      """, inputs: "fp16 x", out: "y")
    let tree = try Parser.parse(text)
    #expect(try Parser.parse(tree.text()).text() == tree.text())
    #expect(tree.text().contains("EstimatedRuntime = dict<string, fp64>({{\"ane\", 0.00467}})"))
    #expect(faults(text).isEmpty)
    let used = text.replacing("relu(x = x)", with: "relu(x = names)")
    #expect(faults(used).map(\.rule) == ["unsupported-type"])
  }
}

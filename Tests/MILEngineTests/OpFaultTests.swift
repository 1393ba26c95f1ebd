/// Arguments that no op can work with: every one is a diagnostic that names it, none a trap.
import Testing

@testable import MILEngine

struct OpFaultTests {
  /// A statement over `x` [2, 3, 4, 5], `h` [4, 6] and `i` [3] of int32, and what the fault names.
  static let faults: [(statement: String, named: String)] = [
    ("argsort(x = x, axis = int32(4))", "axis"),
    ("topk(x = x, k = int32(6))", "`k`"),
    ("topk(x = x, k = int32(-2))", "`k`"),
    ("cumsum(x = x, axis = int32(-5))", "axis"),
    ("reverse(x = x, axes = tensor<int32, [2]>([1, 1]))", "twice"),
    ("reverse(x = x, axes = tensor<int32, [1]>([4]))", "axes"),
    ("reverse_sequence(x = x, lengths = i, seq_axis = int32(0), batch_axis = int32(0))", "lengths"),
    (
      "reverse_sequence(x = h, lengths = tensor<int32, [4]>([0, 1, 2, 7]), seq_axis = int32(1))",
      "7"
    ),
    ("sliding_windows(x = x, axis = int32(1), size = int32(4))", "size"),
    ("sliding_windows(x = x, axis = int32(1), size = int32(0))", "size"),
    ("sliding_windows(x = x, axis = int32(1), size = int32(1), stride = int32(0))", "stride"),
    ("depth_to_space(x = x, block_size = int32(2))", "channels"),
    ("depth_to_space(x = x, block_size = int32(0))", "block_size"),
    ("depth_to_space(x = h, block_size = int32(1))", "rank"),
    ("space_to_depth(x = x, block_size = int32(2147483647))", "block_size"),
    ("pixel_unshuffle(x = x, downscale_factor = uint32(3))", "multiples"),
    (
      "space_to_batch(x = x, block_shape = tensor<int32, [2]>([2, 2]), paddings ="
        + " tensor<int32, [2, 2]>([[0, 0], [0, 0]]))", "multiples"
    ),
    (
      "batch_to_space(x = x, block_shape = tensor<int32, [2]>([2, 1]), crops ="
        + " tensor<int32, [2, 2]>([[9, 9], [0, 0]]))", "crops"
    ),
    ("fill(shape = tensor<int32, [2]>([2, -3]), value = fp32(0))", "negative"),
    ("fill(shape = tensor<int32, [3]>([2000000000, 2000000000, 2000000000]))", "too many"),
    ("fill(shape = tensor<int32, [3]>([0, 2000000000, 2000000000]))", "too many"),
    ("range_1d(start = int32(0), end = int32(9), step = int32(0))", "step"),
    ("range_1d(start = fp32(nan), end = fp32(9), step = fp32(1))", "step"),
    ("one_hot(indices = i, one_hot_vector_size = int32(-1))", "one_hot_vector_size"),
    ("one_hot(indices = i, one_hot_vector_size = int32(2), axis = int32(2))", "axis"),
    (
      "one_hot(indices = i, one_hot_vector_size = int32(2), on_value = fp32(1), off_value = int32(0))",
      "one type"
    ),
    ("band_part(x = i, lower = int32(1))", "rank"),
    ("gather_along_axis(x = x, indices = i, axis = int32(0))", "indices"),
    ("gather_nd(x = h, indices = i)", "indices"),
    (
      "gather(x = h, indices = tensor<int32, [1]>([4]), axis = int32(0), validate_indices ="
        + " bool(true))", "0 to 3"
    ),
    ("scatter(data = h, indices = i, updates = h)", "updates"),
    ("scatter(data = h, indices = i, updates = h, mode = string(\"xor\"))", "mode"),
    ("scatter_nd(data = h, indices = tensor<int32, [1, 3]>([[0, 0, 0]]), updates = h)", "indices"),
    (
      "slice_update(x = h, update = i, begin = tensor<int32, [2]>([0, 0]), end ="
        + " tensor<int32, [2]>([1, 1]))", "update"
    ),
    (
      "max_pool(x = x, kernel_sizes = tensor<int32, [2]>([5, 1]), pad_type = string(\"valid\"))",
      "kernel"
    ),
    (
      "max_pool(x = x, kernel_sizes = tensor<int32, [2]>([0, 1]), pad_type = string(\"valid\"))",
      "kernel"
    ),
    (
      "max_pool(x = x, kernel_sizes = tensor<int32, [1]>([1]), pad_type = string(\"valid\"))",
      "kernel_sizes"
    ),
    (
      "avg_pool(x = x, kernel_sizes = tensor<int32, [2]>([2, 2]), strides ="
        + " tensor<int32, [2]>([0, 1]), pad_type = string(\"valid\"))", "strides"
    ),
    (
      "l2_pool(x = x, kernel_sizes = tensor<int32, [2]>([1, 1]), pad_type = string(\"odd\"))",
      "pad_type"
    ),
    (
      "batch_norm(x = x, mean = tensor<fp32, [2]>([0, 0]), variance = tensor<fp32, [3]>([1, 1, 1]))",
      "mean"
    ),
    ("instance_norm(x = h)", "rank"),
    ("l2_norm(x = h)", "rank"),
    ("local_response_norm(x = x, size = int32(0))", "size"),
    ("prelu(x = x, alpha = tensor<fp32, [4]>([1, 1, 1, 1]))", "alpha"),
    ("elu(x = x, alpha = string(\"a\"))", "alpha"),
    ("einsum(values = (x, x), equation = string(\"nchw,nwhu->nchu\"))", "fit"),
    ("einsum(values = (x, x), equation = string(\"abcd,abcd->abcd\"))", "equation"),
    ("einsum(values = (x, h), equation = string(\"nchw,nwhu->nchu\"))", "rank"),
    ("quantize(input = x, scale = fp32(0), output_dtype = string(\"int8\"))", "scale"),
    (
      "quantize(input = x, scale = tensor<fp32, [3]>([1, 1, 1]), output_dtype = string(\"int8\"))",
      "axis"
    ),
    ("flatten2d(x = x, axis = int32(5))", "axis"),
    (
      "reshape_like(x = x, ref_tensors = (h, h), begins = (int32(0), int32(0)), ends ="
        + " (int32(1), int32(1)), end_masks = (bool(false), bool(false)))", "elements"
    ),
    (
      "reshape_like(x = x, ref_tensors = (h, h), begins = (int32(0)), ends = (int32(1), int32(1)),"
        + " end_masks = (bool(false), bool(false)))", "begins"
    ),
    ("non_zero(x = h)", "declared"),
    ("slice_by_size(x = h, begin = i, size = tensor<int32, [2]>([1, 1]))", "begin"),
  ]

  @Test(arguments: faults.indices) func isNamed(index: Int) throws {
    let (statement, named) = Self.faults[index]
    let error = try #require(throws: EngineError.self) {
      _ = try engineFunction(
        "tensor<fp32, [1]> y = \(statement)[name = string(\"y\")];",
        inputs: "tensor<fp32, [2, 3, 4, 5]> x, tensor<fp32, [4, 6]> h, tensor<int32, [3]> i",
        out: "y")
    }
    #expect(error.message.contains(named), "\(statement): \(error.message)")
  }

  // MARK: at run time

  private func run(
    _ statement: String, _ result: String, indices: [Double], opset: String = "ios18"
  ) throws -> [Double] {
    let function = try engineFunction(
      "tensor<\(result)> y = \(statement)[name = string(\"y\")];",
      inputs: "tensor<fp32, [4]> x, tensor<int32, [\(indices.count)]> i", out: "y", opset: opset)
    return try function.run([[1, 2, 3, 4], indices])[0]
  }

  @Test func anIndexOutsideGivesZeroOrFails() throws {
    #expect(try run("gather(x = x, indices = i)", "fp32, [3]", indices: [0, 4, -1]) == [1, 0, 0])
    #expect(
      try run("gather(x = x, indices = i)", "fp32, [2]", indices: [-1, -5], opset: "ios16")
        == [4, 0])
    let error = try #require(throws: EngineError.self) {
      _ = try run(
        "gather(x = x, indices = i, validate_indices = bool(true))", "fp32, [2]", indices: [0, 9])
    }
    #expect(error.message.contains("9"))
  }

  @Test func anUpdateOutsideIsLeftOut() throws {
    let update = "tensor<fp32, [2]>([10, 20])"
    #expect(
      try run(
        "scatter(data = x, indices = i, updates = \(update))", "fp32, [4]", indices: [-1, 2])
        == [1, 2, 23, 4])
    #expect(throws: EngineError.self) {
      _ = try run(
        "scatter(data = x, indices = i, updates = \(update), validate_indices = bool(true))",
        "fp32, [4]", indices: [-1, 2])
    }
  }

  @Test func aSliceIsTheDeclaredOneOrFails() throws {
    let slice = "slice_by_size(x = x, begin = i, size = tensor<int32, [1]>([2]))"
    #expect(try run(slice, "fp32, [2]", indices: [1]) == [2, 3])
    #expect(try run(slice, "fp32, [2]", indices: [-2]) == [3, 4])
    #expect(throws: EngineError.self) { _ = try run(slice, "fp32, [2]", indices: [3]) }
  }

  @Test func rowsOfNonZeroAreCounted() throws {
    #expect(try run("non_zero(x = i)", "int32, [2, 1]", indices: [0, 5, 7]) == [1, 2])
    #expect(throws: EngineError.self) {
      _ = try run("non_zero(x = i)", "int32, [2, 1]", indices: [1, 5, 7])
    }
  }

  @Test func aFailedRunIsFollowedByARightOne() throws {
    let function = try engineFunction(
      "tensor<fp32, [1]> y = gather(x = x, indices = i, validate_indices = bool(true))"
        + "[name = string(\"y\")];",
      inputs: "tensor<fp32, [2]> x, tensor<int32, [1]> i", out: "y")
    for _ in 0..<3 {
      #expect(throws: EngineError.self) { _ = try function.run([[1, 2], [2]]) }
      #expect(try function.run([[1, 2], [1]]) == [[2]])
    }
  }

  @Test func emptyAxesHaveResults() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [0, 3]> none = slice_by_size(x = x, begin = tensor<int32, [2]>([0, 0]),
        size = tensor<int32, [2]>([0, 3]))[name = string("none")];
      tensor<int32, [0, 3]> order = argsort(x = none)[name = string("order")];
      tensor<fp32, [0, 3]> sums = cumsum(x = none)[name = string("sums")];
      tensor<fp32, [0, 3]> back = reverse(x = none)[name = string("back")];
      tensor<fp32, [1, 3]> sum = reduce_sum(x = back, axes = tensor<int32, [1]>([0]),
        keep_dims = bool(true))[name = string("sum")];
      tensor<int32, [2]> sizes = shape(x = none)[name = string("sizes")];
      tensor<int32, [0, 2]> places = non_zero(x = sums)[name = string("places")];
      """, inputs: "tensor<fp32, [2, 3]> x", out: "sum, sizes, places, order")
    #expect(try function.run([[1, 2, 3, 4, 5, 6]]) == [[0, 0, 0], [0, 3], [], []])
  }
}

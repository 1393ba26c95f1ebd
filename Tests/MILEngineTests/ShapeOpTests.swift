import ANEProfiles
import Testing

@testable import MILEngine

/// Ops that move elements, and ops on truth values and integers.
@Suite struct ShapeOpTests {
  /// Runs one call on x = 0, 1, 2, … of a shape.
  private func counted(
    _ call: String, _ shape: [Int], result: [Int], opset: String = "ios18"
  ) throws -> (values: [Double], steps: [String]) {
    let function = try engineFunction(
      "tensor<fp32, \(result.text)> y = \(call);", inputs: "tensor<fp32, \(shape.text)> x",
      out: "y", opset: opset)
    let count = shape.reduce(1, *)
    return (try function.run([(0..<count).map(Double.init)])[0], function.stepNames)
  }

  private func ints(_ list: [Int]) -> String { "tensor<int32, [\(list.count)]>(\(list.text))" }
  private func bools(_ list: [Bool]) -> String {
    "tensor<bool, [\(list.count)]>([\(list.map { "\($0)" }.joined(separator: ", "))])"
  }

  @Test(arguments: [
    ("reshape(x = x, shape = tensor<int32, [2]>([4, -1]))", [4, 6]),
    ("reshape(x = x, shape = tensor<int32, [3]>([0, 4, 3]))", [2, 4, 3]),
    ("expand_dims(x = x, axes = tensor<int32, [2]>([0, -1]))", [1, 2, 3, 4, 1]),
    ("identity(x = x)", [2, 3, 4]),
  ]) func orderIsKept(_ call: String, _ result: [Int]) throws {
    let (values, _) = try counted(call, [2, 3, 4], result: result)
    #expect(values == (0..<24).map(Double.init))
  }

  @Test func squeezeDropsOnes() throws {
    #expect(
      try counted("squeeze(x = x)", [1, 2, 1, 3], result: [2, 3]).values
        == (0..<6).map(Double.init))
    #expect(
      try counted("squeeze(x = x, axes = \(ints([-2])))", [1, 2, 1, 3], result: [1, 2, 3]).values
        == (0..<6).map(Double.init))
  }

  @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1], [-1, 0, 1]])
  func transpose(_ order: [Int]) throws {
    let x = ReferenceArray([2, 3, 4], (0..<24).map(Double.init))
    let expected = x.transposed(order.map { $0 < 0 ? $0 + 3 : $0 })
    let result = try counted(
      "transpose(x = x, perm = \(ints(order)))", x.shape, result: expected.shape)
    #expect(result.values == expected.values)
  }

  @Test(arguments: [0, 1, 2, -1], [false, true]) func concat(_ axis: Int, _ interleave: Bool) throws
  {
    let place = axis < 0 ? axis + 3 : axis
    let x = ReferenceArray([2, 3, 4], (0..<24).map(Double.init))
    let y = x.map { $0 + 100 }
    var shape = x.shape
    shape[place] *= 2
    let expected = ReferenceArray(shape) { index in
      var source = index
      let isSecond = interleave ? index[place] % 2 == 1 : index[place] >= x.shape[place]
      source[place] = interleave ? index[place] / 2 : index[place] % x.shape[place]
      return isSecond ? y[source] : x[source]
    }
    let function = try engineFunction(
      "tensor<fp32, \(shape.text)> z = concat(values = (x, y), axis = int32(\(axis)), interleave = bool(\(interleave)));",
      inputs: "tensor<fp32, [2, 3, 4]> x, tensor<fp32, [2, 3, 4]> y", out: "z")
    #expect(try function.run([x.values, y.values])[0] == expected.values)
  }

  @Test func concatOfComputedPieces() throws {
    // Pieces that are pending element-wise computations are computed in their places.
    let function = try engineFunction(
      """
      tensor<fp32, [2, 2]> a = add(x = x, y = fp32(1)); tensor<fp32, [2, 2]> b = mul(x = x, y = fp32(2));
      tensor<fp32, [4, 2]> rows = concat(values = (a, b), axis = int32(0), interleave = bool(false));
      tensor<fp32, [2, 2]> c = sub(x = x, y = fp32(1)); tensor<fp32, [2, 2]> d = square(x = x);
      tensor<fp32, [2, 4]> columns = concat(values = (c, d), axis = int32(1), interleave = bool(false));
      """, inputs: "tensor<fp32, [2, 2]> x", out: "rows, columns")
    let result = try function.run([[1, 2, 3, 4]])
    #expect(result == [[2, 3, 4, 5, 2, 4, 6, 8], [0, 1, 1, 4, 2, 3, 9, 16]])
    #expect(function.stepNames.prefix(2) == ["ChainStep", "ChainStep"])
  }

  @Test(arguments: [0, 1, 2]) func stack(_ axis: Int) throws {
    let x = ReferenceArray([2, 3], (0..<6).map(Double.init))
    var shape = x.shape
    shape.insert(2, at: axis)
    let expected = ReferenceArray(shape) { index in
      var source = index
      let side = source.remove(at: axis)
      return x[source] + Double(side * 10)
    }
    let function = try engineFunction(
      "tensor<fp32, [2, 3]> y = add(x = x, y = fp32(10)); tensor<fp32, \(shape.text)> z = stack(values = (x, y), axis = int32(\(axis)));",
      inputs: "tensor<fp32, [2, 3]> x", out: "z")
    #expect(try function.run([x.values])[0] == expected.values)
  }

  @Test func split() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [2, 1]> a, tensor<fp32, [2, 3]> b = split(x = x, split_sizes = \(ints([1, 3])), axis = int32(1));
      tensor<fp32, [1, 4]> c, tensor<fp32, [1, 4]> d = split(x = x, num_splits = int32(2), axis = int32(0));
      """, inputs: "tensor<fp32, [2, 4]> x", out: "a, b, c, d")
    let result = try function.run([[0, 1, 2, 3, 4, 5, 6, 7]])
    #expect(result == [[0, 4], [1, 2, 3, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]])
  }

  @Test func sliceByIndex() throws {
    let x = ReferenceArray([3, 4, 5], (0..<60).map(Double.init))
    func check(
      _ begin: [Int], _ end: [Int], _ stride: [Int], _ options: String, _ result: [Int],
      _ source: ([Int]) -> [Int]
    ) throws {
      let call =
        "slice_by_index(x = x, begin = \(ints(begin)), end = \(ints(end)), stride = \(ints(stride))\(options))"
      let expected = ReferenceArray(result) { x[source($0)] }
      #expect(try counted(call, x.shape, result: result).values == expected.values, "\(call)")
    }
    try check([1, 0, 2], [3, 4, 5], [1, 2, 1], "", [2, 2, 3]) { [$0[0] + 1, $0[1] * 2, $0[2] + 2] }
    try check([-1, 0, -4], [3, 4, -1], [1, 1, 2], "", [1, 4, 2]) { [2, $0[1], 1 + 2 * $0[2]] }
    try check([2, 3, 4], [-4, -5, 0], [-1, -2, -3], "", [3, 2, 2]) {
      [2 - $0[0], 3 - 2 * $0[1], 4 - 3 * $0[2]]
    }
    let masks =
      ", begin_mask = \(bools([true, false, false])), end_mask = \(bools([false, true, false]))"
      + ", squeeze_mask = \(bools([false, false, true]))"
    try check([2, 1, -2], [2, 1, 0], [1, 1, 1], masks, [2, 3]) { [$0[0], $0[1] + 1, 3] }
  }

  @Test func sliceBySize() throws {
    #expect(
      try counted(
        "slice_by_size(x = x, begin = \(ints([1, -2])), size = \(ints([1, -1])))", [2, 4],
        result: [1, 2]
      ).values == [6, 7])
  }

  @Test func tile() throws {
    #expect(
      try counted("tile(x = x, reps = \(ints([2, 3])))", [2, 2], result: [4, 6]).values
        == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3])
  }

  @Test func pad() throws {
    let amounts = ints([1, 0, 2, 1])
    #expect(
      try counted(
        "pad(x = x, pad = \(amounts), mode = string(\"constant\"), constant_val = fp32(9))",
        [2, 3], result: [3, 6]
      ).values
        == [9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 2, 9, 9, 9, 3, 4, 5, 9])
    #expect(
      try counted(
        "pad(x = x, pad = \(amounts), mode = string(\"reflect\"))", [2, 3], result: [3, 6]
      ).values
        == [5, 4, 3, 4, 5, 4, 2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4])
    #expect(
      try counted(
        "pad(x = x, pad = \(ints([2, 1])), mode = string(\"replicate\"))", [2, 3], result: [2, 6]
      ).values
        == [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5])
  }

  @Test(arguments: [0, 1, -1]) func gather(_ axis: Int) throws {
    let place = axis < 0 ? axis + 2 : axis
    let indices = [2, 0, 1, 2]
    let x = ReferenceArray([3, 4], (0..<12).map(Double.init))
    var shape = x.shape
    shape.replaceSubrange(place...place, with: [2, 2])
    let expected = ReferenceArray(shape) { index in
      var source = index
      let taken = indices[index[place] * 2 + index[place + 1]]
      source.replaceSubrange(place...(place + 1), with: [taken])
      return x[source]
    }
    let function = try engineFunction(
      "tensor<fp32, \(shape.text)> y = gather(x = x, indices = i, axis = int32(\(axis)), batch_dims = int32(0), validate_indices = bool(false));",
      inputs: "tensor<fp32, [3, 4]> x, tensor<int32, [2, 2]> i", out: "y")
    #expect(try function.run([x.values, indices.map(Double.init)])[0] == expected.values)
  }

  @Test func gatherOutsideIsZeroAndNegativeCountsFromTheEndUntilIOS16() throws {
    for (opset, last) in [("ios16", 3.0), ("ios17", 0)] {
      let function = try engineFunction(
        "tensor<fp32, [2]> y = gather(x = x, indices = i, axis = int32(0));",
        inputs: "tensor<fp32, [3]> x, tensor<int32, [2]> i", out: "y", opset: opset)
      #expect(try function.run([[1, 2, 3], [-1, 7]])[0] == [last, 0])
    }
  }

  @Test func gatherByBatch() throws {
    let function = try engineFunction(
      "tensor<fp32, [2, 2]> y = gather(x = x, indices = i, axis = int32(1), batch_dims = int32(1));",
      inputs: "tensor<fp32, [2, 3]> x, tensor<int32, [2, 2]> i", out: "y")
    #expect(try function.run([[0, 1, 2, 3, 4, 5], [2, 0, 1, 1]])[0] == [2, 0, 4, 4])
  }

  @Test func selectChoosesAndComparisonsCompare() throws {
    let function = try engineFunction(
      """
      tensor<bool, [2, 2]> c = greater(x = x, y = y);
      tensor<bool, [2, 2]> n = logical_not(x = c);
      tensor<bool, [2, 2]> e = equal(x = x, y = y);
      tensor<bool, [2, 2]> o = logical_or(x = n, y = e);
      tensor<fp32, [2, 2]> z = select(cond = c, a = x, b = y);
      """,
      inputs: "tensor<fp32, [2, 2]> x, tensor<fp32, [2]> y", out: "z, c, o")
    #expect(
      try function.run([[1, 5, 3, .nan], [2, 4]]) == [[2, 5, 3, 4], [0, 1, 1, 0], [1, 0, 0, 1]])
  }

  @Test func castsCutWrapAndTest() throws {
    let function = try engineFunction(
      """
      tensor<int32, [4]> i = cast(x = x, dtype = string("int32"));
      tensor<bool, [4]> b = cast(x = x, dtype = string("bool"));
      tensor<uint8, [4]> u = cast(x = i, dtype = string("uint8"));
      tensor<fp16, [4]> h = cast(x = i, dtype = string("fp16"));
      tensor<fp16, [4]> r = cast(x = x, dtype = string("fp16"));
      """, inputs: "tensor<fp32, [4]> x", out: "i, b, u, h, r")
    let result = try function.run([[-1.9, 0, 2049, 4e9]])
    #expect(result[0] == [-1, 0, 2049, Double(Int32.min)])
    #expect(result[1] == [1, 0, 1, 1])
    #expect(result[2] == [255, 0, 1, 0])
    #expect(result[3] == [-1, 0, 2048, -.infinity])
    #expect(result[4] == [Double(Float16(-1.9)), 0, 2048, .infinity])
  }

  @Test func integersNeverTrap() throws {
    let function = try engineFunction(
      """
      tensor<int32, [3]> a = add(x = x, y = y); tensor<int32, [3]> d = real_div(x = x, y = y);
      tensor<int32, [3]> p = pow(x = x, y = y); tensor<int32, [3]> m = abs(x = x);
      """, inputs: "tensor<int32, [3]> x, tensor<int32, [3]> y", out: "a, d, p, m")
    let low = Double(Int32.min)
    let result = try function.run([[low, 7, 3], [-1, 0, -2]])
    #expect(result[0] == [Double(Int32.max), 7, 1])
    #expect(result[1] == [low, low, -1])
    #expect(result[2] == [0, 1, 0])
    #expect(result[3] == [low, 7, 3])
  }

  @Test func ranksBeyondTheKernelsStillWork() throws {
    let shape = [2, 1, 2, 3, 2, 2, 2, 2]
    let order = [7, 0, 6, 1, 5, 2, 4, 3]
    let x = ReferenceArray(shape, (0..<192).map(Double.init))
    let expected = x.transposed(order).map { $0 + 1 }
    let function = try engineFunction(
      """
      tensor<fp32, \(expected.shape.text)> t = transpose(x = x, perm = \(ints(order)));
      tensor<fp32, \(expected.shape.text)> y = add(x = t, y = fp32(1));
      """, inputs: "tensor<fp32, \(shape.text)> x", out: "y, t")
    let result = try function.run([x.values])
    #expect(result[0] == expected.values)
    #expect(result[1] == expected.values.map { $0 - 1 })
  }
}

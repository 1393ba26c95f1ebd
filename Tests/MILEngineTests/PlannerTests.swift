import ANEProfiles
import Testing

@testable import MILEngine

/// What plans are made of: chains in one pass, views without copies, buffers used again.
@Suite struct PlannerTests {
  private let x = "tensor<fp32, [2, 8, 1, 16]> x"
  private let type = "tensor<fp32, [2, 8, 1, 16]>"

  @Test func singleUseElementwiseOpsAreOneChain() throws {
    let function = try engineFunction(
      """
      \(type) a = mul(x = x, y = fp32(0.5));
      \(type) b = sigmoid(x = a);
      \(type) c = mul(x = b, y = x);
      \(type) d = cast(x = c, dtype = string("fp32"));
      \(type) e = clip(x = d, alpha = fp32(-1), beta = fp32(1));
      """, inputs: x, out: "e")
    #expect(function.stepNames == ["ChainStep"])
    #expect((function.plan.steps[0] as? ChainStep)?.length == 4)
  }

  @Test func aResultThatTwoOpsUseIsComputedOnce() throws {
    let function = try engineFunction(
      """
      \(type) a = exp(x = x);
      tensor<fp32, [2, 8, 1, 1]> s = reduce_sum(x = a, axes = tensor<int32, [1]>([3]), keep_dims = bool(true));
      \(type) y = real_div(x = a, y = s);
      """, inputs: x, out: "y")
    #expect(function.stepNames == ["ChainStep", "ReduceStep", "ChainStep"])
  }

  @Test func longChainsAreCutNotRefused() throws {
    var text = ""
    var last = "x"
    for index in 0..<100 {
      text += "\(type) v\(index) = add(x = \(last), y = fp32(1));\n"
      last = "v\(index)"
    }
    let function = try engineFunction(text, inputs: x, out: last)
    #expect((2...12).contains(function.plan.steps.count))
    #expect(
      try function.run([[Double](repeating: 1, count: 256)])[0]
        == [Double](repeating: 101, count: 256))
  }

  @Test func deepTreesFitTheRegisters() throws {
    // A balanced tree of depth 5 needs more operands and registers than one pass has.
    var text = ""
    var level = (0..<32).map { index -> String in
      text += "\(type) l\(index) = add(x = x, y = fp32(\(index)));\n"
      return "l\(index)"
    }
    var count = 0
    while level.count > 1 {
      level = stride(from: 0, to: level.count, by: 2).map { index in
        count += 1
        text += "\(type) m\(count) = add(x = \(level[index]), y = \(level[index + 1]));\n"
        return "m\(count)"
      }
    }
    let function = try engineFunction(text, inputs: x, out: level[0])
    #expect(
      try function.run([[Double](repeating: 1, count: 256)])[0]
        == [Double](repeating: 32 + 496, count: 256))
  }

  @Test func viewsCopyNothing() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [1, 2, 4, 8]> r = reshape(x = x, shape = tensor<int32, [4]>([1, 2, 4, 8]));
      tensor<fp32, [2, 1, 4, 8]> t = transpose(x = r, perm = tensor<int32, [4]>([1, 0, 2, 3]));
      tensor<fp32, [2, 4, 8]> s = squeeze(x = t, axes = tensor<int32, [1]>([1]));
      tensor<fp32, [1, 4, 8]> a, tensor<fp32, [1, 4, 8]> b = split(x = s, num_splits = int32(2), axis = int32(0));
      tensor<fp32, [1, 4, 8]> y = add(x = a, y = b);
      """, inputs: "tensor<fp32, [1, 64]> x", out: "y")
    #expect(function.stepNames == ["ChainStep"])
    #expect(
      try function.run([(0..<64).map(Double.init)])[0] == (0..<32).map { Double(2 * $0 + 32) })
  }

  @Test func stridedOperandsAreReadInPlace() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [4, 3]> t = transpose(x = x, perm = tensor<int32, [2]>([1, 0]));
      tensor<fp32, [4, 3]> y = exp(x = t);
      tensor<fp32, [4, 4]> z = matmul(x = t, y = x);
      """, inputs: "tensor<fp32, [3, 4]> x", out: "y, z")
    #expect(function.stepNames.sorted() == ["ChainStep", "MatmulStep"])
  }

  @Test func reshapingAConcatenationCopiesNothing() throws {
    let function = try engineFunction(
      """
      tensor<fp32, [1, 8, 1, 12]> k = concat(values = (x, y), axis = int32(3), interleave = bool(false));
      tensor<fp32, [2, 1, 4, 12]> r = reshape(x = k, shape = tensor<int32, [4]>([2, 1, 4, 12]));
      tensor<fp32, [2, 1, 12, 4]> t = transpose(x = r, perm = tensor<int32, [4]>([0, 1, 3, 2]));
      """, inputs: "tensor<fp32, [1, 8, 1, 8]> x, tensor<fp32, [1, 8, 1, 4]> y", out: "t")
    // Only the result itself is written, piece by piece.
    #expect(
      function.plan.steps.allSatisfy {
        $0.writes == [function.plan.outputs[0].view.buffer] || $0 is GatherStep
      })
    let (x, y) = ((0..<64).map(Double.init), (0..<32).map { Double(100 + $0) })
    let expected = ReferenceArray([2, 1, 12, 4]) { index in
      let channel = index[0] * 4 + index[3]
      return index[2] < 8 ? x[channel * 8 + index[2]] : y[channel * 4 + index[2] - 8]
    }
    #expect(try function.run([x, y])[0] == expected.values)
  }

  @Test func deadOpsAreNotRun() throws {
    let function = try engineFunction(
      "\(type) a = exp(x = x); \(type) y = add(x = x, y = x);", inputs: x, out: "y")
    #expect(function.stepNames == ["ChainStep"])
  }

  @Test func buffersAreUsedAgain() throws {
    var text = ""
    var last = "x"
    for index in 0..<20 {
      text += "\(type) v\(index) = softmax(x = \(last), axis = int32(-1));\n"
      last = "v\(index)"
    }
    let function = try engineFunction(text, inputs: x, out: last)
    #expect(function.plan.steps.count == 20)
    // The input, the output and two in turn, of 1,024 bytes each.
    #expect(function.plan.arenaBytes <= 4 * 1024)
  }

  @Test func buffersAliveTogetherDoNotOverlap() throws {
    var dice = Dice(41)
    for _ in 0..<20 {
      let buffers = (0..<40).map { _ in
        Lowering.Buffer(kind: .result, count: Int.random(in: 1...300, using: &dice))
      }
      let steps = (0..<60).map { _ in
        TouchStep(
          reads: [Int.random(in: 0..<40, using: &dice)],
          writes: [Int.random(in: 0..<40, using: &dice)])
      }
      let (slots, bytes) = Liveness.slots(buffers: buffers, steps: steps, outputs: [3])
      for first in 0..<40 {
        guard let start = slots[first] else { continue }
        #expect(start % 64 == 0 && start + buffers[first].count * 4 <= bytes)
        for second in 0..<first {
          guard let other = slots[second], meet(first, second, steps, outputs: [3]) else {
            continue
          }
          #expect(
            start >= other + buffers[second].count * 4 || other >= start + buffers[first].count * 4)
        }
      }
    }
  }

  private struct TouchStep: Step {
    let reads: [Int]
    let writes: [Int]
    func run(_ frame: Frame) {}
  }

  private func meet(_ a: Int, _ b: Int, _ steps: [TouchStep], outputs: [Int]) -> Bool {
    func span(_ buffer: Int) -> ClosedRange<Int>? {
      var times = steps.indices.filter { (steps[$0].reads + steps[$0].writes).contains(buffer) }
      if outputs.contains(buffer) { times.append(steps.count) }
      guard let first = times.min(), let last = times.max() else { return nil }
      return first...last
    }
    guard let first = span(a), let second = span(b) else { return false }
    return first.overlaps(second)
  }

  @Test func constantsAreAskedForOnce() throws {
    let weight = "tensor<fp16, [4, 8]>"
    let function = try engineFunction(
      """
      \(weight) w = const()[val = \(weight)(\(nested([4, 8], (0..<32).map { Double($0) }[...])))];
      tensor<fp16, [2, 4]> a = linear(x = x, weight = w);
      tensor<fp16, [2, 4]> b = matmul(x = y, y = w, transpose_y = bool(true));
      """, inputs: "tensor<fp16, [2, 8]> x, tensor<fp16, [2, 8]> y", out: "a, b")
    #expect(function.plan.requests.count == 1)
    #expect(function.stepNames == ["LinearGroupStep"])
  }

  @Test func workIsCounted() throws {
    let function = try engineFunction(
      """
      tensor<fp16, [4, 8, 1, 1]> w = const()[val = tensor<fp16, [4, 8, 1, 1]>(\(nested([4, 8, 1, 1], [Double](repeating: 1, count: 32)[...])))];
      tensor<fp16, [1, 4, 1, 16]> y = conv(x = x, weight = w);
      tensor<fp16, [1, 4, 1, 16]> z = relu(x = y);
      """, inputs: "tensor<fp16, [1, 8, 1, 16]> x", out: "z", arithmetic: .engine)
    #expect(function.work.convFlops == 2 * 4 * 8 * 16)
    #expect(function.work.matmulFlops == 0)
    #expect(function.work.weightBytes == 64)
    #expect(function.work.activationBytes == 2 * (128 + 64 + 64))
    #expect(function.work.opCount == 2)
  }

  @Test(
    arguments: [
      (
        "tensor<fp32, [4194304, 1, 1, 1]> y = conv(x = x, weight = w);",
        "tensor<fp32, [4194304, 1, 1, 1]> x, tensor<fp32, [1, 1, 1, 1]> w"
      ),
      (
        "tensor<fp32, [1073741824, 1, 1]> y = matmul(x = x, y = w);",
        "tensor<fp32, [1073741824, 1, 1]> x, tensor<fp32, [1073741824, 1, 1]> w"
      ),
      (
        "tensor<fp32, [1, 1, 1073741824, 1]> y = conv(x = x, weight = w, pad_type = string(\"same\"));",
        "tensor<fp32, [1, 1, 1073741824, 1]> x, tensor<fp32, [1, 1, 1073741824, 1]> w"
      ),
    ]) func shapesBeyondReasonAreRefused(_ body: String, _ inputs: String) throws
  {
    let error = #expect(throws: Diagnostic.self) {
      try engineFunction(body, inputs: inputs, out: "y")
    }
    #expect(error?.rule == "too-large")
  }
}

/// Ops that move blocks of elements between axes: depth, space and batch.

extension OpTable {
  static let blockShuffles: [OpRow] = [
    // Channels are the block's row, its column, then the channels of the result.
    shuffle("depth_to_space", "block_size", parted: .depth([1, 2, 0])),
    // Channels are the channels of the result, then the block's row and column.
    shuffle("pixel_shuffle", "upscale_factor", parted: .depth([0, 1, 2])),
    shuffle("space_to_depth", "block_size", parted: .space([1, 2, 0])),
    shuffle("pixel_unshuffle", "downscale_factor", parted: .space([0, 1, 2])),
    spaceToBatch, batchToSpace,
  ]

  /// Where a shuffle takes its blocks from, and the order in which the channels hold the channel
  /// of the result (0), the block's row (1) and its column (2).
  private enum Parted {
    case depth([Int])
    case space([Int])
  }

  private static func shuffle(_ name: String, _ argument: String, parted: Parted) -> OpRow {
    OpRow(
      name, [.value("x"), .constant(argument)],
      infer: { context throws(Diagnostic) in
        let x = try context.type("x", in: Kinds.any)
        try context.checkRank(x.shape, 4...4, of: "x")
        let block = try context.integer(argument, default: 1)
        guard (1...(1 << 20)).contains(block) else {
          throw context.fault("`\(argument)` must be 1 or more; it is \(block)")
        }
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        switch parted {
        case .depth:
          guard c % (block * block) == 0 else {
            throw context.fault(
              "the \(c) channels of `x` must be a multiple of `\(argument)` squared,"
                + " \(block * block)")
          }
          let (height, width) = (try context.product([h, block]), try context.product([w, block]))
          return [try context.result(x.dtype, [n, c / block / block, height, width])]
        case .space:
          guard h % block == 0, w % block == 0 else {
            throw context.fault(
              "height and width of `x` \(x.shape.text) must be multiples of `\(argument)` \(block)")
          }
          let channels = try context.product([c, block, block])
          return [try context.result(x.dtype, [n, channels, h / block, w / block])]
        }
      },
      lower: { lowering, node throws(Diagnostic) in
        let block = try lowering.arguments(node).integer(argument, default: 1)
        let x = try lowering.view(lowering.required(node, "x"))
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        switch parted {
        case .depth(let order):
          let sizes = [c / block / block, block, block]
          let parts = lowering.window(x, as: [n] + order.map { sizes[$0] } + [h, w])
          func place(_ part: Int) -> Int { 1 + (order.firstIndex(of: part) ?? 0) }
          lowering.define(
            node, merging: parts.transposed([0, place(0), 4, place(1), 5, place(2)]))
        case .space(let order):
          let parts = lowering.window(x, as: [n, c, h / block, block, w / block, block])
          let sources = [1, 3, 5]
          lowering.define(
            node, merging: parts.transposed([0] + order.map { sources[$0] } + [2, 4]))
        }
      })
  }

  private static let spaceToBatch = OpRow(
    "space_to_batch", [.value("x"), .constant("block_shape"), .constant("paddings")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let (block, edges) = try context.spatialBlocks("paddings")
      let padded = [
        x.shape[2] + edges[0] + edges[1], x.shape[3] + edges[2] + edges[3],
      ]
      guard padded[0] % block[0] == 0, padded[1] % block[1] == 0 else {
        throw context.fault(
          "the padded height and width \(padded.text) must be multiples of `block_shape`"
            + " \(block.text)")
      }
      let batch = try context.product([x.shape[0], block[0], block[1]])
      return [
        try context.result(
          x.dtype, [batch, x.shape[1], padded[0] / block[0], padded[1] / block[1]])
      ]
    },
    lower: { lowering, node throws(Diagnostic) in
      let (block, edges) = try lowering.arguments(node).spatialBlocks("paddings")
      let x = try lowering.view(lowering.required(node, "x"))
      let result = lowering.result(node).shape
      let (height, width) = (result[2] * block[0], result[3] * block[1])
      let padded = lowering.newView([x.shape[0], x.shape[1], height, width])
      guard padded.count > 0 else {
        return lowering.define(node.outputs[0], lowering.newView(result))
      }
      lowering.emit(FillStep(target: padded.place, count: padded.count, word: 0))
      lowering.write(
        .view(x),
        to: padded.sliced(axis: 2, begin: edges[0], count: x.shape[2])
          .sliced(axis: 3, begin: edges[2], count: x.shape[3]))
      let parts = padded.changingShape(
        [x.shape[0], x.shape[1], result[2], block[0], result[3], block[1]])
      lowering.define(node, merging: parts.transposed([3, 5, 0, 1, 2, 4]))
    })

  private static let batchToSpace = OpRow(
    "batch_to_space", [.value("x"), .constant("block_shape"), .constant("crops")],
    infer: { context throws(Diagnostic) in
      let x = try context.type("x", in: Kinds.any)
      let (block, edges) = try context.spatialBlocks("crops")
      guard x.shape[0] % (block[0] * block[1]) == 0 else {
        throw context.fault(
          "the batch \(x.shape[0]) of `x` must be a multiple of \(block[0] * block[1]), the size"
            + " of a block")
      }
      var shape = [x.shape[0] / (block[0] * block[1]), x.shape[1]]
      for axis in 0..<2 {
        let whole = try context.product([x.shape[2 + axis], block[axis]])
        let left = whole - edges[2 * axis] - edges[2 * axis + 1]
        guard left >= 0 else {
          throw context.fault(
            "`crops` takes \(whole - left) of the \(whole) elements of axis \(2 + axis)")
        }
        shape.append(left)
      }
      return [try context.result(x.dtype, shape)]
    },
    lower: { lowering, node throws(Diagnostic) in
      let (block, edges) = try lowering.arguments(node).spatialBlocks("crops")
      let x = try lowering.view(lowering.required(node, "x"))
      let result = lowering.result(node).shape
      let (height, width) = (x.shape[2], x.shape[3])
      let parts = lowering.window(
        x, as: [block[0], block[1], result[0], result[1], height, width])
      let whole = lowering.window(
        parts.transposed([2, 3, 4, 0, 5, 1]),
        as: [result[0], result[1], height * block[0], width * block[1]])
      lowering.define(
        node.outputs[0],
        whole.sliced(axis: 2, begin: edges[0], count: result[2])
          .sliced(axis: 3, begin: edges[2], count: result[3]))
    })
}

extension InferenceContext {
  /// The sizes of a block over height and width, and what is added or cut: top, bottom, left, right.
  fileprivate func spatialBlocks(
    _ edges: String
  ) throws(Diagnostic) -> (block: [Int], edges: [Int]) {
    let x = try type("x").shape
    try checkRank(x, 4...4, of: "x")
    let block = try requiredIntegers("block_shape", count: 2)
    let amounts = try requiredIntegers(edges, count: 4)
    guard try type(edges).shape == [2, 2] else {
      throw fault("`\(edges)` must be [2, 2]; it is \(try type(edges).shape.text)")
    }
    guard block.allSatisfy({ (1...(1 << 20)).contains($0) }) else {
      throw fault("`block_shape` must be positive; it is \(block.text)")
    }
    guard amounts.allSatisfy({ (0...(1 << 30)).contains($0) }) else {
      throw fault("`\(edges)` must not be negative; it is \(amounts.text)")
    }
    return (block, amounts)
  }

  /// The product of sizes, which must be one that tensors have.
  func product(_ sizes: [Int]) throws(Diagnostic) -> Int {
    guard let count = Shape.count(sizes), count <= elementCountMax else {
      throw fault("the product of \(sizes.text) is too large", rule: "too-large")
    }
    return count
  }
}

extension Lowering {
  /// The result is a window's elements in their order under the result's shape.
  mutating func define(_ node: Node, merging view: View) {
    define(node.outputs[0], window(view, as: result(node).shape))
  }
}

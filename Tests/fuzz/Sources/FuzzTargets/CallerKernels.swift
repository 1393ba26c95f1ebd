import COrionANE

/// Calls on plain memory. Sizes stay inside what is behind the pointers, which is the caller's word.
extension Caller {
  static let kernelRows = [Row(weight: 12, cost: 0) { $0.kernel() }]

  private static let bytes = 1_024

  /// Zeroed memory that four matrices and lists share the ends of.
  private struct Memory {
    let blocks: [UnsafeMutableRawPointer] = (0..<5).map { _ in
      let block = UnsafeMutableRawPointer.allocate(byteCount: Caller.bytes, alignment: 16)
      block.initializeMemory(as: UInt8.self, repeating: 0, count: Caller.bytes)
      return block
    }
    func free() { for block in blocks { block.deallocate() } }
    func floats(_ index: Int) -> UnsafeMutablePointer<Float> {
      blocks[index].assumingMemoryBound(to: Float.self)
    }
  }

  /// At most 8 x 8 values in rows of at most 64 bytes.
  private mutating func matrix(_ memory: Memory, _ index: Int) -> orion_kernel_matrix {
    var matrix = orion_kernel_matrix()
    let shift = draw.below(16) == 0 ? 1 : 0
    matrix.values = draw.below(16) == 0 ? nil : memory.blocks[index] + shift
    matrix.rows = draw.pick([4, 4, 4, 8, 1, 0])
    matrix.columns = draw.pick([4, 4, 4, 8, 1, 0])
    matrix.row_bytes = draw.pick([32, 32, 32, 64, 16, 8, 3, 0])
    matrix.dtype = draw.pick([Int32(ORION_FP32), Int32(ORION_FP16), Int32(ORION_FP32), 0, 5])
    matrix.reserved = draw.below(16) == 0 ? 1 : 0
    return matrix
  }

  private mutating func kernel() {
    let memory = Memory()
    defer { memory.free() }
    memory.blocks[4].storeBytes(of: draw.word(), as: UInt64.self)
    let count = draw.pick([16, 4, 1, 0])
    var (first, second) = (matrix(memory, 0), matrix(memory, 1))
    let scale = Float(draw.byte()) / 16
    var (sum, counted, isFinite) = (0.0, 0, false)
    switch draw.below(7) {
    case 0: adamw(memory, count, &first)
    case 1: judge(orion_kernel_sum_of_squares(memory.floats(4), count, &sum), "sum_of_squares")
    case 2:
      judge(
        orion_kernel_accumulate(
          &first, scale, draw.below(2) == 0, memory.floats(4), count, &isFinite), "accumulate")
    case 3: judge(orion_kernel_convert(&first, &second, &counted), "convert")
    case 4:
      let targets = (0..<8).map { _ in Int32(draw.below(9)) - 1 }
      let (parts, columns) = (draw.below(2), draw.pick([4, 8, 1]))
      var gradients = draw.below(2) == 0 ? first : second
      let status =
        draw.below(2) == 0
        ? orion_kernel_cross_entropy(
          parts, &first, nil, columns, targets, scale, &sum, &counted)
        : orion_kernel_cross_entropy(
          parts, &first, &gradients, columns, targets, scale, &sum, &counted)
      judge(status, "cross_entropy")
    case 5:
      let tokens = (0..<8).map { _ in Int32(draw.below(10)) - 1 }
      judge(
        orion_kernel_embedding_gather(&first, draw.pick([4, 8, 1]), tokens, &second), "gather")
    default:
      let tokens = (0..<8).map { _ in Int32(draw.below(10)) - 1 }
      judge(
        orion_kernel_embedding_scatter_add(
          &first, draw.pick([4, 8, 1]), tokens, scale, &second, &isFinite), "scatter_add")
    }
  }

  private mutating func adamw(
    _ memory: Memory, _ count: Int, _ copy: inout orion_kernel_matrix
  ) {
    var options = orion_adamw_options()
    options.struct_size =
      draw.below(8) == 0 ? UInt32(draw.byte()) : UInt32(MemoryLayout<orion_adamw_options>.size)
    options.gradient_scale = 1
    options.learning_rate = Double(draw.byte()) / 64
    options.beta1 = Double(draw.byte()) / 200
    options.beta2 = Double(draw.byte()) / 200
    options.epsilon = Double(draw.byte()) / 64
    options.weight_decay = Double(draw.byte()) / 64
    options.step = UInt64(draw.below(4))
    var overflows = 0
    let (w, g) = (memory.floats(1), memory.floats(2))
    let (m, v) = (memory.floats(3), memory.floats(4))
    let status =
      draw.below(2) == 0
      ? orion_kernel_adamw(&options, count, w, g, m, v, nil, &overflows)
      : orion_kernel_adamw(&options, count, w, g, m, v, &copy, &overflows)
    judge(status, "adamw")
  }
}

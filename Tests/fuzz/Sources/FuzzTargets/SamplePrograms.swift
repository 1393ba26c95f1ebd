/// Small programs of inputs [1, 4, 1, 32] and a weight file, for calls that should go well.
enum SamplePrograms {
  static let all = engine + [keeping, looping]

  /// Programs that every device takes.
  static let engine: [String] = [
    program(
      """
      tensor<fp16, [1, 4, 1, 32]> s = add(x = x, y = b);
      tensor<fp16, [1, 4, 1, 32]> y = tanh(x = s);
      """),
    program(
      """
      tensor<fp16, [1, 4, 1, 1]> w = const()[val = tensor<fp16, [1, 4, 1, 1]>(BLOBFILE(path = \
      string("@model_path/weights.bin"), offset = uint64(64)))];
      tensor<fp16, [1, 4, 1, 32]> s = mul(x = x, y = w);
      tensor<fp16, [1, 4, 1, 32]> y = sub(x = s, y = b);
      """),
    program(
      """
      bool no = const()[val = bool(false)];
      bool yes = const()[val = bool(true)];
      int32 axis = const()[val = int32(-1)];
      tensor<fp16, [1, 4, 1, 1]> p = matmul(x = x, y = b, transpose_x = no, transpose_y = yes);
      tensor<fp16, [1, 4, 1, 32]> q = softmax(x = x, axis = axis);
      tensor<fp16, [1, 4, 1, 32]> y = mul(x = p, y = q);
      """),
    program(
      """
      tensor<fp16, [4, 2]> data = constexpr_blockwise_shift_scale(data = tensor<int8, [4, 2]>([[1, 2], \
      [3, 4], [5, 6], [7, 8]]), scale = tensor<fp16, [4, 1]>([[1.0], [2.0], [0.5], [0.25]]));
      tensor<int32, [2]> begin = const()[val = tensor<int32, [2]>([0, 0])];
      tensor<int32, [2]> size = const()[val = tensor<int32, [2]>([4, 1])];
      tensor<int32, [4]> shape = const()[val = tensor<int32, [4]>([1, 4, 1, 1])];
      tensor<fp16, [4, 1]> part = slice_by_size(x = data, begin = begin, size = size);
      tensor<fp16, [1, 4, 1, 1]> column = reshape(x = part, shape = shape);
      tensor<fp16, [1, 4, 1, 32]> s = add(x = x, y = column);
      tensor<fp16, [1, 4, 1, 32]> y = maximum(x = s, y = b);
      """),
  ]

  /// A program of the host with a state.
  static let keeping = """
    program(1.3)
    {
      func main<ios18>(state<tensor<fp16, [1, 4, 1, 32]>> kept, tensor<fp16, [1, 4, 1, 32]> x) {
        tensor<fp16, [1, 4, 1, 32]> old = read_state(input = kept);
        tensor<fp16, [1, 4, 1, 32]> y = add(x = x, y = old);
        write_state(data = y, input = kept);
      } -> (y);
    }
    """

  /// A program of the host with blocks.
  static let looping = """
    program(1.3)
    {
      func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x) {
        fp16 half = const()[val = fp16(0.5)];
        fp16 limit = const()[val = fp16(9.0)];
        fp16 zero = const()[val = fp16(0.0)];
        fp16 sum, tensor<fp16, [1, 4, 1, 32]> y = while_loop(loop_vars = (zero, x)) test(fp16 n, \
    tensor<fp16, [1, 4, 1, 32]> v) {
          bool more = less(x = n, y = limit);
        } -> (more) body(fp16 n, tensor<fp16, [1, 4, 1, 32]> v) {
          fp16 next = add(x = n, y = half);
          tensor<fp16, [1, 4, 1, 32]> w = mul(x = v, y = half);
        } -> (next, w);
      } -> (y);
    }
    """

  private static func program(_ statements: String) -> String {
    """
    program(1.3)
    {
      func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x, tensor<fp16, [1, 4, 1, 32]> b) {
    \(statements)
      } -> (y);
    }
    """
  }

  /// A weight file of one record of four fp16 numbers, with some bytes changed.
  static func weights(_ draw: inout Draw) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 192)
    bytes[0] = 1
    bytes[4] = 2
    bytes.replaceSubrange(64..<70, with: [0xEF, 0xBE, 0xAD, 0xDE, 1, 0])
    bytes[72] = 8
    bytes[80] = 128
    bytes.replaceSubrange(128..<136, with: [0, 0x3C, 0, 0x40, 0, 0x42, 0, 0x44])
    for _ in 0..<draw.below(4) { bytes[draw.below(bytes.count)] = draw.byte() }
    return bytes
  }
}

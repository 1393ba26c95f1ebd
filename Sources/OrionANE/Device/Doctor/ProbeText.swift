/// The programs of the probes: one input `x` of ones; the first number of the first output is looked at.
enum ProbeText {
  private static let channels = 32
  private static let width = 64

  private static func type(_ channels: Int, _ width: Int) -> String {
    "tensor<fp16, [1, \(channels), 1, \(width)]>"
  }

  private static func program(
    _ body: String, result: String, channels: Int = channels, width: Int = width
  ) -> String {
    """
    program(1.3)
    [buildInfo = dict<string, string>({{"coremlc-component-MIL", "3510.2.1"}})]
    {
      func main<ios18>(\(type(channels, width)) x) {
    \(body)  } -> (\(result));
    }

    """
  }

  private static func constant(_ name: String, _ type: String, file: String, offset: Int) -> String
  {
    "    \(type) \(name) = const()[name = string(\"\(name)\"), val = \(type)(BLOBFILE(path ="
      + " string(\"@model_path/\(file)\"), offset = uint64(\(offset))))];\n"
  }

  /// x times 1; `mark` makes programs differ.
  static func plain(width: Int, mark: Int) -> String {
    program(
      "    \(type(channels, width)) y = mul(x = x, y = fp16(0x1p+0))"
        + "[name = string(\"y_\(mark)\")];\n", result: "y", width: width)
  }

  /// x times the channel's weight of weights.bin.
  static let scaled = program(
    constant("w", type(channels, 1), file: "weights.bin", offset: 64)
      + "    \(type(channels, width)) y = mul(x = x, y = w)[name = string(\"y\")];\n",
    result: "y")

  static func weight(_ value: Float16) -> [UInt8] {
    blob([Array(repeating: value, count: channels)]).bytes
  }

  /// Ops with every argument that they have, and what they make of 1.
  static let operations: [(name: String, text: String, expected: Float)] = [
    (
      "concat",
      program(
        "    \(type(2 * channels, width)) y = concat(values = (x, x), axis = int32(1),"
          + " interleave = bool(false))[name = string(\"y\")];\n", result: "y"), 1
    ),
    (
      "rsqrt",
      program(
        "    \(type(channels, width)) y = rsqrt(x = x, epsilon = fp16(0x1p-14))"
          + "[name = string(\"y\")];\n", result: "y"), 1
    ),
    (
      "gelu",
      program(
        "    \(type(channels, width)) y = gelu(x = x, mode = string(\"EXACT\"))"
          + "[name = string(\"y\")];\n", result: "y"), 0.8413
    ),
  ]

  /// x plus 17 weights of 1, which lie in so many files.
  static func sums(files: Int) -> (text: String, weights: [String: [UInt8]]) {
    let count = 17
    let ones = [Float16](repeating: 1, count: channels)
    let all = blob(Array(repeating: ones, count: count))
    var body = ""
    var sum = "x"
    for index in 0..<count {
      let file = files == 1 ? "weights.bin" : "weights\(index).bin"
      body += constant(
        "w\(index)", type(channels, 1), file: file, offset: files == 1 ? all.offsets[index] : 64)
      body +=
        "    \(type(channels, width)) y\(index) = add(x = \(sum), y = w\(index))"
        + "[name = string(\"y\(index)\")];\n"
      sum = "y\(index)"
    }
    guard files > 1 else { return (program(body, result: sum), ["weights.bin": all.bytes]) }
    let each = (0..<count).map { ("weights\($0).bin", blob([ones]).bytes) }
    return (program(body, result: sum), Dictionary(uniqueKeysWithValues: each))
  }

  /// Eight convolutions, 64 to 64 channels, over eight weights or over one.
  static func convolutions(isDistinct: Bool) -> (text: String, weights: [String: [UInt8]]) {
    let (count, channels) = (8, 64)
    let mean = [Float16](repeating: 1 / Float16(channels), count: channels * channels)
    let file = blob(Array(repeating: mean, count: isDistinct ? count : 1))
    var body = ""
    var last = "x"
    for index in 0..<count {
      let offset = file.offsets[isDistinct ? index : 0]
      body += constant(
        "w\(index)", "tensor<fp16, [\(channels), \(channels), 1, 1]>", file: "weights.bin",
        offset: offset)
      body +=
        "    \(type(channels, width)) y\(index) = conv(x = \(last), weight = w\(index),"
        + " strides = tensor<int32, [2]>([1, 1]), pad_type = string(\"valid\"),"
        + " pad = tensor<int32, [4]>([0, 0, 0, 0]), dilations = tensor<int32, [2]>([1, 1]),"
        + " groups = int32(1))[name = string(\"y\(index)\")];\n"
      last = "y\(index)"
    }
    return (program(body, result: last, channels: channels), ["weights.bin": file.bytes])
  }

  static let byteBuffer = """
    program(1.3)
    [buildInfo = dict<string, string>({{"coremlc-component-MIL", "3510.2.1"}})]
    {
      func main<ios18>(tensor_buffer<int8, shape=[1, 1, 32, 64], strides=[2048, 2048, 64, 1], \
    interleave_factors=[1, 1, 1, 1]> x) {
        tensor<int8, [1, 1, 32, 64]> t = tensor_buffer_to_tensor<ios17>(input = x)[name = string("t")];
        tensor<fp16, [1, 1, 32, 64]> y = cast(x = t, dtype = string("fp16"))[name = string("y")];
      } -> (y);
    }

    """

  /// A blob file, version 2, of fp16 records, and the offsets of their heads.
  static func blob(_ records: [[Float16]]) -> (bytes: [UInt8], offsets: [Int]) {
    var bytes = [UInt8](repeating: 0, count: 64)
    var offsets: [Int] = []
    func put(_ value: some FixedWidthInteger, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        for (index, byte) in $0.enumerated() { bytes[offset + index] = byte }
      }
    }
    for record in records {
      let head = (bytes.count + 63) / 64 * 64
      offsets.append(head)
      let data = head + 64
      bytes += [UInt8](repeating: 0, count: data + 2 * record.count - bytes.count)
      put(UInt32(0xDEAD_BEEF), at: head)
      put(UInt32(1), at: head + 4)
      put(UInt64(2 * record.count), at: head + 8)
      put(UInt64(data), at: head + 16)
      for (index, value) in record.enumerated() { put(value.bitPattern, at: data + 2 * index) }
    }
    put(UInt32(records.count), at: 0)
    put(UInt32(2), at: 4)
    return (bytes, offsets)
  }
}

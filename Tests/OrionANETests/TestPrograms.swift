// Small programs with their weight files and the numbers that must come out.

import MILEngine

@testable import OrionANE

/// Two inputs and two outputs whose declared order is not the order of their names; one weight.
enum SmallProgram {
  static let channels = 4
  static let width = 32

  static let text = text(scale: 1)

  /// Programs of different scales are different programs.
  static func text(scale: Int, dtype: String = "fp16") -> String {
    let shape = "[1, \(channels), 1, \(width)]"
    let type = "tensor<\(dtype), \(shape)>"
    let column = "tensor<\(dtype), [1, \(channels), 1, 1]>"
    return """
      program(1.3)
      [buildInfo = dict<string, string>({{"coremlc-component-MIL", "3510.2.1"}})]
      {
        func main<ios18>(\(type) x, \(type) b) {
          \(column) w = const()[name = string("w"), val = \(column)(BLOBFILE(path = \
      string("@model_path/weights.bin"), offset = uint64(64)))];
          \(dtype) scale = const()[name = string("scale"), val = \(dtype)(\(scale).0)];
          \(type) sum = add(x = x, y = b)[name = string("sum")];
          \(type) scaled = mul(x = x, y = scale)[name = string("scaled")];
          \(type) product = mul(x = scaled, y = w)[name = string("product")];
        } -> (sum, product);
      }

      """
  }

  /// One record: a number for each channel.
  static func weights(_ values: [Float16] = [1, 2, 3, 4]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 192)
    func put(_ value: some FixedWidthInteger, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        for (index, byte) in $0.enumerated() { bytes[offset + index] = byte }
      }
    }
    put(UInt32(1), at: 0)
    put(UInt32(2), at: 4)
    put(UInt32(0xDEAD_BEEF), at: 64)
    put(UInt32(1), at: 68)
    put(UInt64(2 * values.count), at: 72)
    put(UInt64(128), at: 80)
    for (index, value) in values.enumerated() { put(value.bitPattern, at: 128 + 2 * index) }
    return bytes
  }

  static let x: [Float16] = (0..<channels * width).map { Float16($0 + 1) }
  static let b: [Float16] = (0..<channels * width).map { Float16(100 + $0) }

  static func sum() -> [Float16] { zip(x, b).map { $0 + $1 } }
  static func product(_ weights: [Float16] = [1, 2, 3, 4], scale: Float16 = 1) -> [Float16] {
    x.enumerated().map { $1 * scale * weights[$0 / width] }
  }

  /// Runs a program on the inputs above: sum, product.
  static func run(_ program: Program, on device: Device) throws -> [[Float16]] {
    let inputs = try program.inputs.map { try device.makeTensor(for: $0) }
    let outputs = try program.outputs.map { try device.makeTensor(for: $0) }
    for (tensor, values) in zip(inputs, [x, b]) { try tensor.write(values) }
    try program.evaluate(inputs: inputs, outputs: outputs)
    return try outputs.map { try $0.halves() }
  }
}

extension Tensor {
  /// Writes row-major values at the tensor's strides.
  func write(_ values: [Float16]) throws(OrionError) {
    try withBytes { bytes in
      for (index, value) in values.enumerated() {
        bytes.storeBytes(of: value.bitPattern, toByteOffset: offset(index), as: UInt16.self)
      }
    }
  }

  func halves() throws(OrionError) -> [Float16] {
    let count = layout.shape.reduce(1, *)
    return try withBytes { bytes in
      (0..<count).map {
        Float16(bitPattern: bytes.load(fromByteOffset: offset($0), as: UInt16.self))
      }
    }
  }

  private func offset(_ index: Int) -> Int {
    let width = layout.shape.last ?? 1
    return index / width * layout.rowBytes + index % width * layout.dtype.byteCount
  }
}

import ANEProfiles

/// Small programs whose results show how a device behaves where the calls' success does not tell.
struct Canary {
  /// What a reload after the weights were written in place gives.
  enum Reload: String, Sendable {
    /// The new weights.
    case effective
    /// The old ones: the device serves the program it compiled before.
    case stale
  }

  private static let channels = 32
  private static let width = 64
  /// Where the one record's data lie in the weight file.
  private static let dataOffset = 128

  let device: Device

  /// Compiles a program, writes other weights into its file, reloads and evaluates it.
  func reload() throws(OrionError) -> Reload {
    let room = device.caches.privateModels
    try FileSystem.makeDirectory(room, for: "directory of private models")
    let file = FileSystem.unique("\(room)/canary")
    try FileSystem.write(Self.weights(Self.old), to: file)
    defer { FileSystem.remove(file) }
    let program = try device.compile(Self.text(device.profile), weights: file, isPatchable: true)
    let result: Result<Reload, OrionError>
    do throws(OrionError) {
      result = .success(try observe(program))
    } catch {
      result = .failure(error)
    }
    try program.unload()
    return try result.get()
  }

  private func observe(_ program: Program) throws(OrionError) -> Reload {
    let before = try run(program)
    guard before == Self.old else { throw fault("before anything was changed", before) }
    try program.withWeights { bytes in
      let new = Self.weights(Self.new)
      bytes[Self.dataOffset...].copyBytes(from: new[Self.dataOffset...])
    }
    try program.reload()
    let after = try run(program)
    if after == Self.new { return .effective }
    guard after == Self.old else { throw fault("after the reload", after) }
    return .stale
  }

  private func fault(_ when: String, _ found: [Float16]) -> OrionError {
    OrionError(
      .device,
      "device \(device.name), reload canary: \(when) channels 0 to 3 gave"
        + " \(found.prefix(4).map { Float($0) }), expected \(Self.old.prefix(4).map { Float($0) })"
        + " or \(Self.new.prefix(4).map { Float($0) }); its results cannot be trusted")
  }

  /// One weight a channel. Small whole numbers, so that no arithmetic rounds them.
  private static let old = (0..<channels).map { Float16($0 + 1) }
  private static let new = (0..<channels).map { Float16(-2 * $0 - 3) }

  /// The first column of the product of ones and the weights, when all columns agree.
  private func run(_ program: Program) throws(OrionError) -> [Float16] {
    let input = try device.makeTensor(for: program.inputs[0])
    let output = try device.makeTensor(for: program.outputs[0])
    try input.withBytes { bytes in
      for row in 0..<Self.channels {
        for column in 0..<Self.width {
          bytes.storeBytes(
            of: Float16(1).bitPattern, toByteOffset: row * input.layout.rowBytes + 2 * column,
            as: UInt16.self)
        }
      }
    }
    try program.evaluate(inputs: [input], outputs: [output])
    return try output.withBytes { bytes in
      (0..<Self.channels).map { row in
        let columns = (0..<Self.width).map {
          bytes.load(fromByteOffset: row * output.layout.rowBytes + 2 * $0, as: UInt16.self)
        }
        let isOne = columns.allSatisfy { $0 == columns[0] }
        return isOne ? Float16(bitPattern: columns[0]) : .nan
      }
    }
  }

  /// A blob file, version 2, of one fp16 record.
  private static func weights(_ values: [Float16]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: dataOffset + 2 * values.count)
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
    put(UInt64(dataOffset), at: 80)
    for (index, value) in values.enumerated() {
      put(value.bitPattern, at: dataOffset + 2 * index)
    }
    return bytes
  }

  private static func text(_ profile: Profile) -> String {
    // Version 1.0 spells scalars as tensors of no axes.
    let isOld = profile.dialect.program == "1.0"
    let string = isOld ? "tensor<string, []>" : "string"
    let offset = isOld ? "tensor<uint64, []>" : "uint64"
    let type = "tensor<fp16, [1, \(channels), 1, \(width)]>"
    let column = "tensor<fp16, [1, \(channels), 1, 1]>"
    return """
      program(\(profile.dialect.program))
      [buildInfo = dict<\(string), \(string)>({{"coremlc-component-MIL", "3510.2.1"}})]
      {
        func main<\(profile.dialect.opset)>(\(type) x) {
          \(column) w = const()[name = \(string)("w"), val = \(column)(BLOBFILE(path = \
      \(string)("@model_path/weights.bin"), offset = \(offset)(64)))];
          \(type) product = mul(x = x, y = w)[name = \(string)("product")];
        } -> (product);
      }

      """
  }
}

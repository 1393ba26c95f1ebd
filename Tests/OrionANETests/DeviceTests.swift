import Testing

@testable import OrionANE

@Suite struct DeviceTests {
  let directory: TemporaryDirectory
  var options = DeviceOptions()

  init() throws {
    directory = try TemporaryDirectory()
    options.cacheDirectory = directory.path + "/cache"
  }

  @Test(arguments: ["", "gpu", "sim:", "sim:cpu", "sim:m9", "CPU"])
  func unknownNamesAreRefusedWithTheKnownOnes(_ name: String) {
    let error = #expect(throws: OrionError.self) { try Device(name, options: options) }
    #expect(error?.kind == .argument)
    #expect(error?.message.contains("device \"\(name)\": unknown") == true)
    #expect(error?.message.contains("sim:m4-macos15") == true)
  }

  @Test func autoSaysWhy() throws {
    #if !os(macOS)
      let device = try Device("auto", options: options)
      #expect(device.kind == .cpu && device.name == "cpu")
      #expect(device.reason.hasPrefix("auto: cpu, because device \"ane\" needs macOS 15"))
    #endif
  }

  @Test func simMeansTheStandardProfile() throws {
    let device = try Device("sim", options: options)
    #expect(device.name == "sim:m4-macos15" && device.route == "client")
    #expect(device.profile.limits.rowAlignmentBytes == 64)
  }

  @Test(arguments: ["cpu", "sim"]) func tensorsAreZeroedAndAligned(_ name: String) throws {
    let device = try Device(name, options: options)
    let tensor = try device.makeTensor(.fp16, [1, 3, 2, 40])
    #expect(tensor.layout.rowBytes == (name == "cpu" ? 80 : 128))
    #expect(tensor.layout.strides[1] == 2 * tensor.layout.rowBytes)
    try tensor.withBytes { bytes throws(OrionError) in
      #expect(UInt(bitPattern: bytes) % 64 == 0)
      #expect(
        (0..<tensor.layout.byteCount).allSatisfy {
          bytes.load(fromByteOffset: $0, as: UInt8.self) == 0
        })
      let nested = #expect(throws: OrionError.self) { try tensor.storage.lock() }
      #expect(nested?.message.contains("already locked") == true)
    }
    let twice = #expect(throws: OrionError.self) { try tensor.storage.unlock() }
    #expect(twice?.message.contains("not locked") == true)
  }

  @Test(
    arguments: [
      ([1, 1, 1, 1, 1, 1], "rank 6"), ([4, 0], "axis 1 is 0"),
      ([-1, 4], "axis 0 is -1"),
      ([.max, .max, 2], "more than"), ([2, .max], "more than"), ([1 << 40, 64], "more than"),
    ] as [([Int], String)])
  func impossibleShapesAreRefused(_ shape: [Int], _ text: String) throws {
    let device = try Device("cpu", options: options)
    let error = #expect(throws: OrionError.self) { try device.makeTensor(.fp16, shape) }
    #expect(error?.kind == .argument)
    #expect(error?.message.contains(text) == true)
  }

  @Test func elementsThatNoTensorHasAreRefused() throws {
    let device = try Device("cpu", options: options)
    let error = #expect(throws: OrionError.self) { try device.makeTensor(.string, [1]) }
    #expect(error?.message.contains("tensor of string") == true)
  }
}

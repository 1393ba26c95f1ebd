import Glibc
import Testing

@testable import OrionANE

/// Programs as a user has them, on each device.
@Suite struct ProgramTests {
  static let devices = ["cpu", "sim"]

  let directory: TemporaryDirectory
  let weights: String
  let cache: String

  init() throws {
    directory = try TemporaryDirectory()
    weights = try directory.file("weights.bin", SmallProgram.weights())
    cache = directory.path + "/cache"
  }

  private func open(_ name: String) throws(OrionError) -> Device {
    var options = DeviceOptions()
    options.cacheDirectory = cache
    return try Device(name, options: options)
  }

  private func run(_ device: Device) throws -> [[Float16]] {
    try SmallProgram.run(try device.compile(SmallProgram.text, weights: weights), on: device)
  }

  @Test func everyDeviceGivesTheSameNumbers() throws {
    for name in Self.devices {
      #expect(try run(try open(name)) == [SmallProgram.sum(), SmallProgram.product()])
    }
  }

  @Test(arguments: devices) func isCompiledOnce(_ name: String) throws {
    let first = try open(name)
    _ = try run(first)
    #expect(first.counters.compiles == 1)
    let second = try open(name)
    _ = try run(second)
    #expect(second.counters.compiles == 0 && second.counters.cacheHits == 1)
  }

  @Test(arguments: devices) func isCompiledAgainWhenAWeightChanges(_ name: String) throws {
    _ = try run(try open(name))
    let changed = try directory.file("changed.bin", SmallProgram.weights([1, 2, 3, 5]))
    let device = try open(name)
    let program = try device.compile(SmallProgram.text, weights: changed)
    #expect(device.counters.compiles == 1)
    #expect(try SmallProgram.run(program, on: device)[1] == SmallProgram.product([1, 2, 3, 5]))
  }

  @Test(arguments: devices) func aFlippedBitInTheCacheHeals(_ name: String) throws {
    _ = try run(try open(name))
    // The weights there are the user's own, under a second name.
    let files = TestFile.all(below: cache).filter { !$0.hasSuffix("/weights.bin") }
    #expect(files.contains { $0.hasSuffix("/program.orion") })
    for path in files where !path.contains("/locks/") {
      try #require(TestFile.flip(path))
      #expect(
        try run(try open(name)) == [SmallProgram.sum(), SmallProgram.product()], "\(path)")
      let healed = try open(name)
      _ = try run(healed)
      #expect(healed.counters.compiles == 0, "\(path) was not healed")
    }
  }

  @Test(arguments: devices) func aShortenedFileInTheCacheHeals(_ name: String) throws {
    _ = try run(try open(name))
    let files = TestFile.all(below: cache).filter { !$0.hasSuffix("/weights.bin") }
    for path in files where !path.contains("/locks/") {
      try #require(truncate(path, 7) == 0)
      #expect(
        try run(try open(name)) == [SmallProgram.sum(), SmallProgram.product()], "\(path)")
    }
  }

  @Test(arguments: devices) func wrongTensorsAreNamed(_ name: String) throws {
    let device = try open(name)
    let program = try device.compile(SmallProgram.text, weights: weights)
    let outputs = try program.outputs.map { try device.makeTensor(for: $0) }
    let x = try device.makeTensor(for: program.inputs[0])
    let few = #expect(throws: OrionError.self) {
      try program.evaluate(inputs: [x], outputs: outputs)
    }
    #expect(
      few?.message
        == "program main: 1 inputs came, 2 are expected (x, b); pass one tensor for each, in this order"
    )
    let wide = try device.makeTensor(.fp16, [1, 4, 1, 64])
    let other = #expect(throws: OrionError.self) {
      try program.evaluate(inputs: [x, wide], outputs: outputs)
    }
    #expect(
      other?.message
        == "program main, input b: expected fp16 [1, 4, 1, 32], got fp16 [1, 4, 1, 64]")
    let shared = #expect(throws: OrionError.self) {
      try program.evaluate(inputs: [x, outputs[1]], outputs: outputs)
    }
    #expect(shared?.message.contains("output product: the tensor stands in two places") == true)
    let stranger = try open("cpu").makeTensor(.fp16, [1, 4, 1, 32])
    let foreign = #expect(throws: OrionError.self) {
      try program.evaluate(inputs: [x, stranger], outputs: outputs)
    }
    #expect(foreign?.message.contains("belongs to another device") == true)
  }

  @Test(arguments: devices) func wrongProgramsAreExplained(_ name: String) throws {
    let device = try open(name)
    let cases: [(String, String, String?)] = [
      ("program(1.3)", "model.mil:1:", weights),
      (SmallProgram.text.replacing("add(", with: "frobnicate("), "frobnicate", weights),
      (
        SmallProgram.text.replacing("model_path/weights", with: "model_path/../weights"), "..",
        weights
      ),
      (SmallProgram.text.replacing("uint64(64)", with: "uint64(6400)"), "6400", weights),
      (SmallProgram.text.replacing("4, 1, 32]> sum", with: "4, 1, 16]> sum"), "sum", weights),
      (SmallProgram.text, "weights.bin", nil),
    ]
    for (text, part, weights) in cases {
      let error = #expect(throws: OrionError.self) { try device.compile(text, weights: weights) }
      #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
      #expect(error?.kind == .program)
    }
    let gone = #expect(throws: OrionError.self) {
      try device.compile(SmallProgram.text, weights: "/no/such/weights")
    }
    #expect(gone?.kind == .file)
    #expect(gone?.message.hasPrefix("weight file /no/such/weights: cannot be read") == true)
    #expect(device.counters.loadedPrograms == 0)
  }
}

import ANEProfiles
import ANESimulator
import Testing

@testable import OrionANE

/// Programs with a weight file of their own: what a reload gives on each kind of device, and what is left.
@Suite struct PatchableTests {
  static let new: [Float16] = [-5, 6, 0.5, 9]

  private func patch(_ program: Program) throws {
    let bytes = SmallProgram.weights(Self.new)
    try program.withWeights { $0.copyBytes(from: bytes) }
  }

  private func cpu(_ directory: TemporaryDirectory) throws -> Device {
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    return try Device("cpu", options: options)
  }

  private func product(_ program: Program, _ device: Device) throws -> [Float16] {
    try SmallProgram.run(program, on: device)[1]
  }

  @Test func onTheHostReloadingTakesEffect() throws {
    let directory = try TemporaryDirectory()
    let weights = try directory.file("weights.bin", SmallProgram.weights())
    let device = try cpu(directory)
    let program = try device.compile(SmallProgram.text, weights: weights, isPatchable: true)
    try patch(program)
    #expect(try product(program, device) == SmallProgram.product())
    let before = device.counters
    try program.reload()
    #expect(try product(program, device) == SmallProgram.product(Self.new))
    #expect(device.counters.compiles == before.compiles)
    #expect(device.counters.loads == before.loads + 1)
    // The file that was given, and programs that share it, keep their weights.
    #expect(TestFile.bytes(weights) == SmallProgram.weights())
    let shared = try device.compile(SmallProgram.text, weights: weights)
    #expect(try product(shared, device) == SmallProgram.product())
    #expect(try device.reloadTakesEffect())
  }

  @Test(arguments: [false, true], RouteName.allCases)
  func onTheSimulatorTheProfileDecides(_ rereads: Bool, _ route: RouteName) throws {
    let simulated = try SimulatedDevice(Profile.standard.with(reload: rereads ? .files : .cache))
    let device = try simulated.open(route: route)
    let program = try device.compile(
      SmallProgram.text, weights: simulated.weights, isPatchable: true)
    try patch(program)
    #expect(try product(program, device) == SmallProgram.product())
    try program.reload()
    #expect(
      try product(program, device) == SmallProgram.product(rereads ? Self.new : [1, 2, 3, 4]))
    #expect(simulated.world.counters.compiles == 1)
    #expect(simulated.world.counters.loads == 2 && simulated.world.counters.unloads == 1)
    let shared = try device.compile(SmallProgram.text, weights: simulated.weights)
    #expect(try product(shared, device) == SmallProgram.product())
    #expect(try device.reloadTakesEffect() == rereads)
    #expect(simulated.world.misuse.isEmpty)
  }

  /// A write in place leaves the directory's dates alone; a rename into it does not.
  @Test func aRenamedFileIsCompiledByTheLoad() throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open()
    let program = try device.compile(
      SmallProgram.text, weights: simulated.weights, isPatchable: true)
    let file = try program.patchable().path + "/weights.bin"
    try FileSystem.write(SmallProgram.weights(Self.new), to: file)
    try program.reload()
    #expect(try product(program, device) == SmallProgram.product(Self.new))
    #expect(simulated.world.counters.compilesInsideLoad == 1)
  }

  @Test(arguments: RouteName.allCases) func nothingIsLeft(_ route: RouteName) throws {
    let simulated = try SimulatedDevice()
    let caches = try CacheDirectory(simulated.directory.path + "/cache")
    do {
      let device = try simulated.open(route: route)
      let program = try device.compile(
        SmallProgram.text, weights: simulated.weights, isPatchable: true)
      try patch(program)
      #expect(FileSystem.names(in: caches.privateModels).count == 2)
      _ = try device.reloadTakesEffect()
      #expect(FileSystem.names(in: caches.privateModels).count == 2)
    }
    #expect(FileSystem.names(in: caches.privateModels).isEmpty)
    let compiled = TestFile.all(below: caches.path + "/sim").filter {
      $0.hasSuffix("program.orion")
    }
    #expect(compiled.isEmpty)
  }

  /// What a process that died left behind: its directory without anyone who holds the lock.
  @Test func whatTheDeadLeftIsSwept() throws {
    let directory = try TemporaryDirectory()
    let weights = try directory.file("weights.bin", SmallProgram.weights())
    let device = try cpu(directory)
    let room = device.caches.privateModels
    try FileSystem.makeDirectory(room + "/model.1.1", for: "test")
    try FileSystem.write("left", to: room + "/model.1.1/weights.bin")
    try FileSystem.write("", to: room + "/model.1.1.lock")
    let program = try device.compile(SmallProgram.text, weights: weights, isPatchable: true)
    let own = try program.patchable().path
    #expect(FileSystem.names(in: room).count == 2)
    #expect(!FileSystem.isDirectory(room + "/model.1.1"))
    #expect(FileSystem.isDirectory(own))
  }

  @Test func wrongUseIsRefused() throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open()
    func refusal(_ body: () throws -> Void) -> String {
      (#expect(throws: OrionError.self) { try body() })?.message ?? ""
    }
    let shared = try device.compile(SmallProgram.text, weights: simulated.weights)
    #expect(refusal { try shared.reload() }.contains("compile it as patchable"))
    #expect(refusal { try patch(shared) }.contains("compile it as patchable"))
    #expect(
      refusal { _ = try device.compile(SmallProgram.text, isPatchable: true) }
        .contains("there is no one weight file"))
    let program = try device.compile(
      SmallProgram.text, weights: simulated.weights, isPatchable: true)
    let model = try program.patchable()
    #expect(refusal { try model.unlock() }.contains("not locked"))
    _ = try model.lock()
    #expect(refusal { _ = try model.lock() }.contains("already locked"))
    #expect(refusal { try program.reload() }.contains("unlock them before reloading"))
    try model.unlock()
    try program.unload()
    #expect(refusal { try program.reload() }.contains("unloaded; compile it again"))
  }

  @Test func aDamagedWeightFileIsNamed() throws {
    let directory = try TemporaryDirectory()
    let weights = try directory.file("weights.bin", SmallProgram.weights())
    let device = try cpu(directory)
    let program = try device.compile(SmallProgram.text, weights: weights, isPatchable: true)
    try program.withWeights { $0[64] = 0 }
    let error = #expect(throws: OrionError.self) { try program.reload() }
    #expect(error?.message.contains("weights.bin") == true)
    // What was loaded goes on.
    #expect(try product(program, device) == SmallProgram.product())
  }
}

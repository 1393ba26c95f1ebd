import ANEProfiles
import ANESimulator
import Testing

@testable import OrionANE

/// The path to the Neural Engine against the simulator: sequences, binding, slots, what is left behind.
@Suite struct AppleBackendTests {
  @Test func bindsBySymbolWhateverTheOrder() throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(trace: true)
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    #expect(program.inputs.map(\.name) == ["x", "b"])
    #expect(program.outputs.map(\.name) == ["sum", "product"])
    let results = try SmallProgram.run(program, on: device)
    #expect(results == [SmallProgram.sum(), SmallProgram.product()])
    let trace = device.takeTrace()
    #expect(trace.contains("in x=1 b=0 out sum=1 product=0 procedure 0"))
    #expect(simulated.world.misuse.isEmpty)
  }

  @Test func theSequenceIsTheClients() throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(trace: true)
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    _ = try SmallProgram.run(program, on: device)
    try program.unload()
    let messages = device.takeTrace().split(separator: "\n").filter {
      $0.contains("[_ANEClient") || $0.contains("[_ANEModel")
    }
    let expected = [
      "+[_ANEClient sharedConnection] -> 0x", "+[_ANEModel modelAtURL:key:] /",
      "-[_ANEClient compiledModelExistsFor:] -> false",
      "-[_ANEClient compileModel:options:qos:error:] qos 21 -> true",
      "-[_ANEClient loadModel:options:qos:error:] qos 21 -> true",
      "-[_ANEModel modelAttributes] -> 0x",
      "-[_ANEClient evaluateWithModel:options:request:qos:error:] main qos 21 -> true",
      "-[_ANEClient unloadModel:options:qos:error:] qos 21 -> true",
    ]
    #expect(messages.count == expected.count)
    for (message, start) in zip(messages, expected) { #expect(message.hasPrefix(start)) }
  }

  @Test func inMemoryTheSequenceIsTheModels() throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(trace: true, route: .memory)
    #expect(device.route == "memory")
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    _ = try SmallProgram.run(program, on: device)
    try program.unload()
    let messages = device.takeTrace().split(separator: "\n").filter {
      $0.contains("[_ANEInMemory") || $0.contains("[_ANEClient")
    }
    let expected = [
      "+[_ANEInMemoryModelDescriptor modelWithMILText:weights:optionsPlist:] -> 0x",
      "+[_ANEInMemoryModel inMemoryModelWithDescriptor:] /",
      "-[_ANEInMemoryModel setModelURL:] /", "-[_ANEInMemoryModel compiledModelExists] -> false",
      "-[_ANEInMemoryModel compileWithQoS:options:error:] qos 21 -> true",
      "-[_ANEInMemoryModel loadWithQoS:options:error:] qos 21 -> true",
      "-[_ANEInMemoryModel modelAttributes] -> 0x",
      "-[_ANEInMemoryModel evaluateWithQoS:options:request:error:] main qos 21 -> true",
      "-[_ANEInMemoryModel unloadWithQoS:error:] qos 21 -> true",
    ]
    #expect(messages.count == expected.count)
    for (message, start) in zip(messages, expected) { #expect(message.hasPrefix(start)) }
  }

  /// The daemon starts over between two evaluations: the program is loaded again.
  @Test(arguments: RouteName.allCases) func aLostProgramIsLoadedOnceMore(_ route: RouteName) throws
  {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(route: route)
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    try device.follow(faults: "eval@1=disconnect")
    let error = #expect(throws: OrionError.self) { try SmallProgram.run(program, on: device) }
    #expect(error?.message.contains("the daemon stopped while it answered; try again") == true)
    #expect(simulated.world.counters.loadedPrograms == 0)
    #expect(try SmallProgram.run(program, on: device)[0] == SmallProgram.sum())
    #expect(simulated.world.counters.compiles == 1)
    let plan = #expect(throws: OrionError.self) { try device.follow(faults: "eval@1=x") }
    #expect(plan?.message.hasPrefix("fault plan, column 8") == true)
  }

  @Test(arguments: RouteName.allCases) func anotherProcessCompilesNothing(_ route: RouteName) throws
  {
    let first = try SimulatedDevice()
    let device = try first.open(route: route)
    _ = try SmallProgram.run(
      try device.compile(SmallProgram.text, weights: first.weights), on: device)
    #expect(device.counters.compiles == 1 && device.counters.cacheHits == 0)

    let second = try SimulatedDevice(after: first)
    let later = try second.open(route: route)
    let program = try later.compile(SmallProgram.text, weights: second.weights)
    #expect(
      try SmallProgram.run(program, on: later) == [SmallProgram.sum(), SmallProgram.product()])
    let counters = later.counters
    #expect(counters.compiles == 0 && counters.cacheHits == 1 && counters.loads == 1)
    #expect(counters.evals == 1 && counters.loadedPrograms == 1)
    #expect(counters.virtualSeconds > 0)
  }

  @Test(arguments: RouteName.allCases) func aChangedWeightCompiles(_ route: RouteName) throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(route: route)
    let before = try device.compile(SmallProgram.text, weights: simulated.weights)
    let changed = try simulated.directory.file(
      "changed.bin", SmallProgram.weights([5, 6, 7, 8]))
    let after = try device.compile(SmallProgram.text, weights: changed)
    #expect(device.counters.compiles == 2)
    #expect(try SmallProgram.run(before, on: device)[1] == SmallProgram.product())
    #expect(try SmallProgram.run(after, on: device)[1] == SmallProgram.product([5, 6, 7, 8]))
  }

  @Test(arguments: RouteName.allCases) func programsStayUnderTheDevicesLimit(_ route: RouteName)
    throws
  {
    let simulated = try SimulatedDevice(Profile.standard.with(loadedProgramsMax: 2))
    let device = try simulated.open(route: route)
    let programs = try (1...4).map {
      try device.compile(SmallProgram.text(scale: $0), weights: simulated.weights)
    }
    for _ in 0..<2 {
      for (index, program) in programs.enumerated() {
        let product = try SmallProgram.run(program, on: device)[1]
        #expect(product == SmallProgram.product(scale: Float16(index + 1)))
        #expect(simulated.world.counters.loadedPrograms <= 2)
      }
    }
    // A program that nothing holds any more is unloaded.
    withExtendedLifetime(programs) {
      #expect(device.counters.compiles == 4)
      // Four when compiled, and one for each use after.
      #expect(device.counters.loads == 12 && device.counters.unloads == 10)
      #expect(device.counters.loadedPrograms == 2)
    }
  }

  @Test func evaluatesFromManyThreads() async throws {
    let simulated = try SimulatedDevice(Profile.standard.with(loadedProgramsMax: 4))
    let device = try simulated.open()
    let programs = try (1...6).map {
      try device.compile(SmallProgram.text(scale: $0), weights: simulated.weights)
    }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for thread in 0..<4 {
        group.addTask {
          try (0..<12).allSatisfy {
            let index = (thread + $0) % programs.count
            return try SmallProgram.run(programs[index], on: device)[1]
              == SmallProgram.product(scale: Float16(index + 1))
          }
        }
      }
      for try await right in group { #expect(right) }
    }
    #expect(simulated.world.misuse.isEmpty)
  }

  @Test(arguments: RouteName.allCases) func lettingGoLeavesNothingBehind(_ route: RouteName) throws
  {
    let simulated = try SimulatedDevice()
    let before = simulated.world.livingObjects
    do {
      let device = try simulated.open(route: route)
      let program = try device.compile(SmallProgram.text, weights: simulated.weights)
      _ = try SmallProgram.run(program, on: device)
      #expect(simulated.world.counters.loadedPrograms == 1)
    }
    #expect(simulated.world.counters.loadedPrograms == 0)
    #expect(simulated.world.livingObjects == before)
    #expect(simulated.world.misuse.isEmpty)
  }

  @Test(arguments: RouteName.allCases) func anUnloadedProgramRefuses(_ route: RouteName) throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(route: route)
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    try program.unload()
    try program.unload()
    let error = #expect(throws: OrionError.self) { try SmallProgram.run(program, on: device) }
    #expect(error?.message == "program main: unloaded; compile it again")
  }

  @Test func changedEncodingsAreNamed() throws {
    let simulated = try SimulatedDevice()
    let changed: @convention(c) (UnsafeMutableRawPointer) -> UnsafePointer<CChar>? = { _ in
      Self.newEncoding
    }
    let library = ForeignLibrary.simulated(simulated.world).changed {
      $0 == "method_getTypeEncoding" ? .other(.init(changed)) : .keep
    }
    let error = #expect(throws: OrionError.self) { try simulated.open(library: library) }
    let message = try #require(error?.message)
    #expect(
      message.contains(
        "-[_ANEClient compileModel:options:qos:error:]: expected type B@:@@I^@, found Q@:@"))
    #expect(message.contains("+[_ANEModel modelAtURL:key:]: expected type @@:@@, found Q@:@"))
  }

  nonisolated(unsafe) private static let newEncoding: UnsafePointer<CChar> = {
    let text = "Q24@0:8@16"
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count + 1)
    for (index, byte) in text.utf8CString.enumerated() { copy[index] = byte }
    return UnsafePointer(copy)
  }()

  @Test(arguments: RouteName.allCases) func aFullDeviceIsNoReasonToCompile(_ route: RouteName)
    throws
  {
    let simulated = try SimulatedDevice(Profile.standard.with(loadedProgramsMax: 1))
    let first = try simulated.open(route: route)
    let program = try first.compile(SmallProgram.text, weights: simulated.weights)
    // Another owner of programs in the same process: neither can make room for the other.
    let second = try simulated.open(route: route)
    let error = #expect(throws: OrionError.self) {
      try second.compile(SmallProgram.text, weights: simulated.weights)
    }
    let message = try #require(error?.message)
    let load = route == .client ? ClientMessages.load : MemoryMessages.load
    #expect(message.contains("\(load.name) failed"))
    #expect(message.contains("com.apple.appleneuralengine 6"))
    #expect(message.contains("too many programs are loaded; free some"))
    #expect(simulated.world.counters.compiles == 1)
    #expect(try SmallProgram.run(program, on: first)[0] == SmallProgram.sum())
  }

  @Test(arguments: RouteName.allCases) func aRefusedProgramIsExplained(_ route: RouteName) throws {
    let simulated = try SimulatedDevice()
    let device = try simulated.open(route: route)
    let text = SmallProgram.text.replacing(
      "= add(x = x, y = b)[", with: "= rsqrt(x = x, epsilon = fp16(0.0))[")
    let error = #expect(throws: OrionError.self) {
      try device.compile(text, weights: simulated.weights)
    }
    #expect(error?.kind == .program)
    let message = try #require(error?.message)
    #expect(message.hasPrefix("model.mil:"))
    #expect(message.contains("rsqrt"))
    let compile = route == .client ? ClientMessages.compile : MemoryMessages.compile
    #expect(
      message.hasSuffix(
        "program main: \(compile.name) refused it"
          + " (com.apple.appleneuralengine.compiler 1: _ANECompiler : ANECCompile() FAILED)"))
    #expect(simulated.world.counters.loadedPrograms == 0)
  }
}

import ANESimulator
import Synchronization
import Testing

@testable import OrionANE

/// A load that fails although the daemon knows the program: it is thrown out, compiled and loaded once
/// more, and no more than once.
@Suite(.serialized) struct StaleProgramTests {
  typealias Reference = FunctionTable.Reference
  typealias Load =
    @convention(c) (
      Reference, Reference, Reference?, Reference, UInt32, UnsafeMutablePointer<Reference?>
    ) -> UInt8
  typealias FindMethod = @convention(c) (Reference, Reference) -> Reference?

  /// Stands before the simulator's load and spoils the first so many calls.
  enum Spoiler {
    static let left = Atomic(0)
    nonisolated(unsafe) static var findMethod: FindMethod?
    nonisolated(unsafe) static var load: Load?

    /// Without a model the load fails with an error of the framework's own.
    static let spoiled: Load = { receiver, selector, model, options, priority, slot in
      let isSpoiled = left.wrappingSubtract(1, ordering: .relaxed).oldValue > 0
      return load?(receiver, selector, isSpoiled ? nil : model, options, priority, slot) ?? 0
    }
    /// Each message has an implementation of its own, so the load's is known by its selector.
    nonisolated(unsafe) static var loadSelector: Reference?
    static let find: FindMethod = { type, selector in
      let found = findMethod?(type, selector)
      guard selector == loadSelector else { return found }
      load = found.map { unsafeBitCast($0, to: Load.self) }
      return unsafeBitCast(spoiled, to: Reference.self)
    }
  }

  private func spoil(_ simulated: SimulatedDevice, loads: Int) throws -> ForeignLibrary {
    let library = ForeignLibrary.simulated(simulated.world)
    let table = try FunctionTable(library)
    Spoiler.findMethod = table.methodImplementation
    Spoiler.loadSelector = table.registerSelector(ClientMessages.load.selector)
    Spoiler.left.store(loads, ordering: .relaxed)
    return library.changed {
      $0 == "class_getMethodImplementation" ? .other(.init(Spoiler.find)) : .keep
    }
  }

  private func prepared() throws -> SimulatedDevice {
    let simulated = try SimulatedDevice()
    let device = try simulated.open()
    _ = try device.compile(SmallProgram.text, weights: simulated.weights)
    return simulated
  }

  @Test func isCompiledAndLoadedOnceMore() throws {
    let simulated = try prepared()
    let device = try simulated.open(
      trace: true, library: try spoil(simulated, loads: 1))
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    #expect(try SmallProgram.run(program, on: device)[0] == SmallProgram.sum())
    let messages = device.takeTrace().split(separator: "\n").filter {
      $0.hasPrefix("-[_ANEClient ") && !$0.contains("evaluate")
    }
    #expect(
      messages.map { $0.dropFirst("-[_ANEClient ".count) } == [
        "compiledModelExistsFor:] -> true", "loadModel:options:qos:error:] qos 21 -> false",
        "purgeCompiledModel:]", "compileModel:options:qos:error:] qos 21 -> true",
        "loadModel:options:qos:error:] qos 21 -> true",
      ])
    #expect(simulated.world.counters.compiles == 2)
  }

  @Test func failsWhenThatDoesNotHelp() throws {
    let simulated = try prepared()
    let device = try simulated.open(library: try spoil(simulated, loads: 2))
    let error = #expect(throws: OrionError.self) {
      try device.compile(SmallProgram.text, weights: simulated.weights)
    }
    #expect(error?.message.contains("-[_ANEClient loadModel:options:qos:error:] failed") == true)
    #expect(simulated.world.counters.compiles == 2)
    #expect(simulated.world.counters.loadedPrograms == 0)
  }
}

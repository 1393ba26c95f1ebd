import ANEProfiles
import ANESimulator
import Testing

@testable import OrionANE

/// Makes the n-th call of the framework fail, for n = 1, 2, 3, …, until none is left to fail.
@Suite struct FailedCallTests {
  /// Everything a program's life has, from opening the device to giving the slot back.
  private func life(_ simulated: SimulatedDevice, _ device: Device) throws {
    let program = try device.compile(SmallProgram.text, weights: simulated.weights)
    let results = try SmallProgram.run(program, on: device)
    #expect(results == [SmallProgram.sum(), SmallProgram.product()])
    try program.unload()
  }

  /// Runs a life in which call `n` fails; `nil` when all calls were made.
  private func fail(_ n: UInt64, _ simulated: SimulatedDevice, _ route: RouteName) throws
    -> OrionError?
  {
    do {
      let device = try simulated.open(failCall: n, trace: true, route: route)
      do {
        try life(simulated, device)
        return nil
      } catch let error as OrionError {
        let trace = device.takeTrace()
        let failed = try #require(
          trace.split(separator: "\n").first { $0.contains("made to fail") })
        let call = Self.name(failed)
        #expect(error.message.contains(call), "\(error.message) does not name \(call)")
        return error
      }
    } catch let error as OrionError {
      return error
    }
  }

  /// The call's name at the start of a line of the trace.
  private static func name(_ line: Substring) -> String {
    let end = line.first == "-" || line.first == "+" ? "]" : " "
    guard let last = line.firstIndex(of: Character(end)) else { return String(line) }
    return String(end == "]" ? line[...last] : line[..<last])
  }

  @Test(arguments: [false, true], RouteName.allCases)
  func everyFailureNamesItsCall(_ isWarm: Bool, _ route: RouteName) throws {
    let simulated = try SimulatedDevice()
    if isWarm { try life(simulated, try simulated.open(route: route)) }
    let before = simulated.world.livingObjects
    var failures = 0
    for n in 1...500 as ClosedRange<UInt64> {
      guard let error = try fail(n, simulated, route) else { break }
      failures += 1
      #expect(error.kind == .device)
      #expect(simulated.world.counters.loadedPrograms == 0, "call \(n): \(error.message)")
      #expect(simulated.world.livingObjects == before, "call \(n): \(error.message)")
      // The same machine goes on as if nothing had been.
      try life(simulated, try simulated.open(route: route))
      if !isWarm { TemporaryDirectory.remove(simulated.directory.path + "/cache") }
    }
    #expect(failures > 40 && failures < 499)
    #expect(simulated.world.misuse.isEmpty)
  }
}

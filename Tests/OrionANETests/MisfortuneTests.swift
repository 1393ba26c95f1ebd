import ANEProfiles
import ANESimulator
import MILEngine
import Synchronization
import Testing

@testable import OrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Five tokens are generated while the n-th operation fails, for n = 1, 2, 3, … until none is left to fail. Each
/// time the work is done or an error names the call, and nothing is left behind.
@Suite struct MisfortuneTests {
  /// More operations than any run has.
  private static let operationsMax = 3_000

  private let bundle: TemporaryDirectory
  private let simulated: SimulatedDevice
  private var cache: String { simulated.directory.path + "/cache" }

  init() throws {
    bundle = try TemporaryDirectory()
    simulated = try SimulatedDevice()
    try AttentionModel.engine.write(to: bundle)
  }

  private func tokens(_ device: Device) throws -> [Int32] {
    let session = try Session(device: device, bundle: bundle.path)
    try session.feed([1, 5, 9])
    return try session.generate(5).tokens
  }

  /// What is there once a session and its device have gone.
  private func expectNothingLeft(_ what: String) {
    #expect(simulated.world.counters.loadedPrograms == 0, "\(what)")
    #expect(simulated.world.livingObjects.isEmpty, "\(what): \(simulated.world.livingObjects)")
    let files = TestFile.all(below: cache)
    let temporary = files.filter { $0.hasSuffix(".tmp") || $0.contains(".pack.") }
    #expect(temporary.isEmpty, "\(what): \(temporary)")
    #expect(!files.contains { $0.contains(".orion.") }, "\(what)")
    #expect(FileSystem.names(in: cache + "/private").isEmpty, "\(what)")
  }

  /// Makes operation 1, 2, 3, … fail until one run has none that did. `misfortune` gives the device of a run and
  /// says after it whether something went wrong.
  private func failEach(
    _ name: String, isCold: Bool, names: [String], open: @escaping () throws -> Device,
    run: (Int, () throws -> [Int32]) throws -> (tokens: [Int32], hasStruck: Bool)
  ) throws {
    let expected = try tokens(try open())
    var failures = 0
    for number in 1...MisfortuneTests.operationsMax {
      if isCold { TemporaryDirectory.remove(cache) }
      let what = "\(name) \(number)"
      do {
        let (found, hasStruck) = try run(number) { try tokens(try open()) }
        #expect(found == expected, "\(what)")
        guard hasStruck else {
          #expect(failures > 0 && number < MisfortuneTests.operationsMax, "\(what)")
          return
        }
      } catch let error as OrionError {
        #expect(names.contains { error.message.contains($0) }, "\(what): \(error.message)")
      }
      failures += 1
      expectNothingLeft(what)
      // The cache serves a run in which all goes well.
      #expect(try tokens(try open()) == expected, "\(what)")
    }
    Issue.record("\(name): something failed in \(MisfortuneTests.operationsMax) runs")
  }

  private final class Tally: Sendable { let count = Atomic(0) }

  /// Runs `work` with a disk that is full for operation `n` on a file.
  private func full(_ n: Int, _ work: () throws -> [Int32]) throws
    -> (tokens: [Int32], hasStruck: Bool)
  {
    let tally = Tally()
    let verdict: @Sendable (String) -> Int32 = { _ in
      tally.count.wrappingAdd(1, ordering: .relaxed).newValue == n ? ENOSPC : 0
    }
    let found = try FileWatch.judging(by: verdict, work)
    return (found, tally.count.load(ordering: .relaxed) >= n)
  }

  /// Programs that cannot be unloaded are those of a session that ends: nobody is there to be told.
  @Test func everyUnload() throws {
    for fault in ["unload@N=error:6", "unload@N=disconnect"] {
      let expected = try tokens(try simulated.open())
      for number in 1...MisfortuneTests.operationsMax {
        simulated.world.follow(try FaultPlan(fault.replacing("N", with: "\(number)")))
        #expect(try tokens(try simulated.open()) == expected)
        let hasStruck = !simulated.world.misfortunes.isEmpty
        simulated.world.follow(.none)
        expectNothingLeft("\(fault) \(number)")
        if !hasStruck { break }
      }
    }
  }

  @Test(arguments: RouteName.allCases) func everySurface(_ route: RouteName) throws {
    try failEach(
      "map@N=error:13", isCold: true, names: ["-[_ANE", "IOSurfaceCreate"],
      open: { try simulated.open(route: route) },
      run: { n, work in
        simulated.world.follow(try FaultPlan("map@\(n)=error:13"))
        defer { simulated.world.follow(.none) }
        let found = try work()
        return (found, !simulated.world.misfortunes.isEmpty)
      })
  }

  /// The disk is full for one operation on a file: of the daemon's cache and of Orion's own.
  @Test func everyFileOperation() throws {
    try failEach(
      "file", isCold: true, names: ["No space left on device"],
      open: { try simulated.open() },
      run: { n, work in try full(n, work) })
  }

  /// The disk is full for one operation on a file of Orion's own caches.
  @Test func everyFileOperationOnTheHost() throws {
    try AttentionModel.cpu.write(to: bundle)
    var options = DeviceOptions()
    options.cacheDirectory = cache
    try failEach(
      "file", isCold: true, names: ["No space left on device"],
      open: { try Device("cpu", options: options) },
      run: { n, work in
        try full(n, work)
      })
  }
}

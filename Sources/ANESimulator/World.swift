/// One simulated machine: a profile, the framework's classes, a daemon with its cache, a clock.
/// Several may live in one process; objects keep the world they were made in.

import ANEProfiles
import Synchronization

/// What keeps a world from being made.
public struct SimulatorError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

public final class World: Sendable {
  public let profile: Profile
  let misuseLog = Misuse()
  let surfaceBytes = Tally()
  let daemon: Daemon
  /// What NSTemporaryDirectory() gives: all processes of this machine share it.
  let temporaryDirectory: String
  /// Made when a class is first looked up, since class objects refer to their world.
  private let framework = Mutex<Framework?>(nil)

  private struct Framework {
    let classes: [String: ObjectClass]
    let client: ClientObject
  }

  /// The daemon keeps its cache below `<cacheDirectory>/sim/<profile.name>`.
  public init(profile: Profile, cacheDirectory: String) throws(SimulatorError) {
    self.profile = profile
    temporaryDirectory = "\(cacheDirectory)/sim/tmp"
    let cache = try ModelCache(
      directory: cacheDirectory, profile: profile.name, osBuild: profile.osBuild)
    daemon = Daemon(profile: profile, cache: cache, surfaceBytes: surfaceBytes)
  }

  deinit {
    guard let made = framework.withLock({ $0 }) else { return }
    let classes = made.classes.values.flatMap { [$0, $0.isa].compactMap { $0 } }
    ObjectTable.forget((classes as [Instance]) + [made.client])
  }

  /// What `dlsym` would give on a Mac: functions, and addresses of variables; `nil` when the real
  /// libraries have no such symbol.
  public func symbol(_ name: String) -> UnsafeMutableRawPointer? { SymbolTable.rows[name]?.address }

  /// Binds this world to the calling thread: classes looked up inside belong to it.
  public func bind<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    let thread = ThreadState.current
    let outer = thread.world
    thread.world = self
    defer { thread.world = outer }
    return try body()
  }

  /// Wrong uses that would crash a Mac, in order; each names the call.
  public var misuse: [String] { misuseLog.all }

  /// Wrong uses outside of any world.
  public static var unboundMisuse: [String] { Misuse.unbound.all }

  /// Living objects of this world, by class name; what a client forgot to release is among them.
  public var livingObjects: [String: Int] { ObjectTable.census(of: self) }

  /// The simulated time that the calls have cost, apart from the time they took here.
  public var virtualSeconds: Double { daemon.seconds }

  /// What the daemon was asked to do.
  public var counters: DaemonCounters { daemon.counters }

  /// What goes wrong from now on; counts start over.
  public func follow(_ plan: FaultPlan) { daemon.faults.follow(plan) }

  /// What the plan has made go wrong, in order, as `load 3: error`.
  public var misfortunes: [String] { daemon.faults.struck }

  /// Lets time pass on the virtual clock.
  public func wait(seconds: Double) { daemon.wait(seconds: seconds) }

  var classes: [String: ObjectClass] { made.classes }
  /// The one connection of the process to the daemon.
  var client: ClientObject { made.client }

  private var made: Framework {
    framework.withLock { framework in
      if let framework { return framework }
      let classes = FrameworkClasses.make(for: self)
      let client = ClientObject(isa: classes["_ANEClient"] ?? FoundationClasses.root, home: self)
      let new = Framework(classes: classes, client: client)
      framework = new
      return new
    }
  }
}

/// A sum that several threads change.
final class Tally: Sendable {
  private let sum = Mutex(0)
  var value: Int { sum.withLock { $0 } }
  func add(_ amount: Int) { sum.withLock { $0 += amount } }
  func subtract(_ amount: Int) { sum.withLock { $0 -= amount } }
}

/// Every symbol of the libraries that are played.
enum SymbolTable {
  static let rows: [String: Symbol] = Dictionary(
    (RuntimeFunctions.symbols + CoreFoundation.symbols + SurfaceFunctions.symbols
      + OptionKeys.symbols)
      .map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

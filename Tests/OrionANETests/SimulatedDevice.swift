// A world with a cache of its own, and devices on it.

import ANEProfiles
import ANESimulator

@testable import OrionANE

struct SimulatedDevice {
  let directory: TemporaryDirectory
  let world: World
  let weights: String

  init(_ profile: Profile = .standard) throws {
    directory = try TemporaryDirectory()
    weights = try directory.file("weights.bin", SmallProgram.weights())
    world = try World(profile: profile, cacheDirectory: directory.path + "/cache")
  }

  /// Another process after this one: the same caches, a new world.
  init(after other: SimulatedDevice) throws {
    directory = other.directory
    weights = other.weights
    world = try World(
      profile: other.world.profile, cacheDirectory: other.directory.path + "/cache")
  }

  func open(
    failCall: UInt64 = 0, trace: Bool = false, route: RouteName = .client,
    library: ForeignLibrary? = nil
  ) throws(OrionError) -> Device {
    var options = DeviceOptions()
    options.failCall = failCall
    options.trace = trace
    options.route = route
    let caches = try CacheDirectory(directory.path + "/cache")
    let profile = world.profile
    let backend = try AppleBackend(
      library ?? .simulated(world), profile: profile, target: profile.name, caches: caches,
      reader: TextReader.programReader(profile), options: options)
    return Device(kind: .sim, reason: "test", backend: backend, caches: caches)
  }
}

import ANEProfiles
import ANESimulator

/// The Neural Engine in software in the place of the private framework.
enum SimulatedFramework {
  static func library(_ world: World) -> ForeignLibrary {
    ForeignLibrary(
      name: "the simulated framework (\(world.profile.name))",
      symbol: { world.symbol($0) },
      bind: { body in world.bind { body() } },
      virtualSeconds: { world.virtualSeconds }, compiles: { world.counters.compiles })
  }

  static func world(_ profile: Profile, _ caches: CacheDirectory) throws(OrionError) -> World {
    do throws(SimulatorError) {
      return try World(profile: profile, cacheDirectory: caches.path)
    } catch {
      throw OrionError(.device, "device \"sim:\(profile.name)\": \(error.description)")
    }
  }
}

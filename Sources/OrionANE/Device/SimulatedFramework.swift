import ANEProfiles
import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The Neural Engine in software in the place of the private framework.
enum SimulatedFramework {
  static func library(_ world: World) -> ForeignLibrary {
    ForeignLibrary(
      name: "the simulated framework (\(world.profile.name))",
      symbol: { world.symbol($0) },
      bind: { body in world.bind { body() } },
      virtualSeconds: { world.virtualSeconds }, compiles: { world.counters.compiles },
      follow: { plan in
        do throws(SimulatorError) {
          world.follow(try FaultPlan(plan))
          return nil
        } catch {
          return error.description
        }
      })
  }

  static func world(_ profile: Profile, _ caches: CacheDirectory) throws(OrionError) -> World {
    do throws(SimulatorError) {
      let world = try World(profile: profile, cacheDirectory: caches.path)
      if let plan = getenv("ORION_SIM_FAULTS") {
        world.follow(try FaultPlan(String(cString: plan)))
      }
      return world
    } catch {
      throw OrionError(.device, "device \"sim:\(profile.name)\": \(error.description)")
    }
  }
}

import ANEProfiles

/// What a machine has for programs: the framework against what is known of it, the routes, the caches, what
/// canaries and probes show. It changes nothing but caches.
struct Doctor {
  let name: String
  let options: DeviceOptions
  let runsProbes: Bool

  /// {device, machine, framework, routes, caches, canaries, probes, notes, passed}.
  func report() throws(OrionError) -> JSONValue {
    let choice = try DeviceChoice(name)
    let caches = try CacheDirectory(options.cacheDirectory)
    let framework = framework(choice, caches)
    let hasFramework = framework["classes"] != nil
    let routes = hasFramework ? RouteName.allCases.map { route($0, choice) } : []
    let isWorking = routes.contains { $0["works"] == .bool(true) }
    let canaries = canaries()
    let needsEngine =
      switch choice.wanted {
      case .cpu, .auto: false
      case .sim, .ane: true
      }
    let hasPassed =
      canaries["error"] == nil && (isWorking || !needsEngine)
    return [
      "device": JSONValue(name),
      "machine": [
        "chip": JSONValue(HostMachine.chip() ?? "unknown"),
        "os_build": JSONValue(HostMachine.osBuild()),
        "profile": JSONValue(profile(choice).name),
      ],
      "framework": framework, "routes": .array(routes),
      "caches": CacheContents.list(caches.path), "canaries": canaries,
      "probes": runsProbes && isWorking ? probes(choice, routes) : .array([]),
      "notes": .array(notes(framework, routes).map { JSONValue($0) }),
      "passed": .bool(hasPassed),
    ]
  }

  private func profile(_ choice: DeviceChoice) -> Profile {
    switch choice.wanted {
    case .cpu: .cpu
    case .sim(let name): Profile.reading(name) ?? .standard
    case .ane, .auto: HostMachine.profile()
    }
  }

  /// What answers the framework's calls, or why nothing does.
  private func framework(_ choice: DeviceChoice, _ caches: CacheDirectory) -> JSONValue {
    do throws(OrionError) {
      let library: ForeignLibrary
      switch choice.wanted {
      case .cpu: return ["reason": "cpu needs no framework"]
      case .sim:
        library = SimulatedFramework.library(
          try SimulatedFramework.world(profile(choice), caches))
      case .ane, .auto: library = try SystemFramework.library()
      }
      return try FrameworkReport(library).json()
    } catch {
      return ["reason": JSONValue(error.message)]
    }
  }

  /// The device's own name where one must be named: `auto` means the engine here.
  private func engine(_ choice: DeviceChoice) -> String {
    choice.wanted == .auto ? "ane" : name
  }

  /// Whether a small program gives the right numbers on a route.
  private func route(_ route: RouteName, _ choice: DeviceChoice) -> JSONValue {
    var options = options
    options.route = route
    do throws(OrionError) {
      let device = try Device(engine(choice), options: options)
      let reload = try Canary(device: device).reload()
      return [
        "route": JSONValue(route.rawValue), "works": true, "reload": JSONValue(reload.rawValue),
      ]
    } catch {
      return [
        "route": JSONValue(route.rawValue), "works": false, "reason": JSONValue(error.message),
      ]
    }
  }

  private func canaries() -> JSONValue {
    do throws(OrionError) {
      let device = try Device(name, options: options)
      return [
        "device": JSONValue(device.name), "reason": JSONValue(device.reason),
        "reload": JSONValue(try Canary(device: device).reload().rawValue),
      ]
    } catch {
      return ["error": JSONValue(error.message)]
    }
  }

  private func probes(_ choice: DeviceChoice, _ routes: [JSONValue]) -> JSONValue {
    var options = options
    let working = RouteName.allCases.filter { name in
      routes.contains { $0["route"] == JSONValue(name.rawValue) && $0["works"] == .bool(true) }
    }
    var reports: [JSONValue] = []
    for route in working {
      options.route = route
      do throws(OrionError) {
        let device = try Device(engine(choice), options: options)
        reports += try Probes(device: device, route: route).run()
      } catch {
        reports.append(["route": JSONValue(route.rawValue), "error": JSONValue(error.message)])
      }
    }
    return .array(reports)
  }

  private func notes(_ framework: JSONValue, _ routes: [JSONValue]) -> [String] {
    var notes: [String] = []
    if case .string(let reason)? = framework["reason"] { notes.append(reason) }
    if framework["device"]?["isVirtualMachine"] == .bool(true) {
      notes.append("this is a virtual machine: the engine answers only when its host is new enough")
    }
    if framework["device"]?["hasANE"] == .bool(false) { notes.append("there is no Neural Engine") }
    if framework["classes"] != nil {
      notes.append(
        "no entitlement is needed but an ad-hoc signature of the program; real-time priority, chaining"
          + " and adapter weights would need one")
    }
    if case .array(let messages)? = framework["messages"] {
      let changed = messages.filter { $0["state"] == "changed" }.compactMap { message in
        if case .string(let name)? = message["message"] { return name } else { return nil }
      }
      if !changed.isEmpty {
        notes.append("messages of other types than known: \(changed.joined(separator: ", "))")
      }
    }
    return notes
  }
}

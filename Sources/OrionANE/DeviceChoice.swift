import ANEProfiles

/// A device's name, read; and how to open what it names.
struct DeviceChoice: Sendable {
  enum Wanted: Sendable, Equatable {
    case cpu
    case sim(profile: String)
    case ane
    case auto
  }
  let name: String
  let wanted: Wanted

  init(_ name: String) throws(OrionError) {
    self.name = name
    switch name {
    case "cpu": wanted = .cpu
    case "sim": wanted = .sim(profile: Profile.standard.name)
    case "ane": wanted = .ane
    case "auto": wanted = .auto
    default:
      let prefix = "sim:"
      guard name.hasPrefix(prefix) else { throw Self.unknown(name) }
      let profile = String(name.dropFirst(prefix.count))
      guard Self.simulated.contains(profile) else { throw Self.unknown(name) }
      wanted = .sim(profile: profile)
    }
  }

  /// Profiles that a simulator can play.
  static var simulated: [String] {
    Profile.all.map(\.name).filter { $0 != Profile.cpu.name }
  }

  private static func unknown(_ name: String) -> OrionError {
    let known = ["cpu", "sim", "ane", "auto"] + simulated.map { "sim:\($0)" }
    return OrionError(
      .argument,
      "device \"\(name)\": unknown; expected one of \(known.joined(separator: ", "))")
  }

  struct Opened {
    let kind: DeviceKind
    let reason: String
    let backend: any Backend
  }

  func open(_ options: DeviceOptions) throws(OrionError) -> Opened {
    let caches = try CacheDirectory(options.cacheDirectory)
    switch wanted {
    case .cpu:
      return Opened(kind: .cpu, reason: name, backend: HostBackend(options, caches))
    case .sim, .ane, .auto:
      throw OrionError(.device, "device \"\(name)\": cannot be opened; choose cpu")
    }
  }
}

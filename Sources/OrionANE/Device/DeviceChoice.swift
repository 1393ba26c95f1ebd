import ANEProfiles
import CKernels

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
      guard let read = Profile.reading(profile), Self.simulated.contains(read.name) else {
        throw Self.unknown(name)
      }
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
      "device \"\(name)\": unknown; expected one of \(known.joined(separator: ", ")), or a simulated"
        + " one with +fp32 or +tables behind it")
  }

  struct Opened {
    let kind: DeviceKind
    let reason: String
    let backend: any Backend
    let caches: CacheDirectory
  }

  func open(_ options: DeviceOptions) throws(OrionError) -> Opened {
    let caches = try CacheDirectory(options.cacheDirectory)
    if options.threads > 0 { orion_pool_set_threads(Int32(clamping: options.threads)) }
    switch wanted {
    case .cpu: return cpu(options, caches, reason: name)
    case .sim(let profile): return try sim(profile, options, caches)
    case .ane: return try ane(options, caches, reason: name)
    case .auto:
      do throws(OrionError) {
        return try ane(options, caches, reason: "auto: ane, because its framework answers")
      } catch {
        return cpu(options, caches, reason: "auto: cpu, because \(error.message)")
      }
    }
  }

  private func cpu(_ options: DeviceOptions, _ caches: CacheDirectory, reason: String) -> Opened {
    Opened(kind: .cpu, reason: reason, backend: HostBackend(caches), caches: caches)
  }

  private func sim(_ name: String, _ options: DeviceOptions, _ caches: CacheDirectory)
    throws(OrionError) -> Opened
  {
    guard let profile = Profile.reading(name) else { throw Self.unknown(self.name) }
    let world = try SimulatedFramework.world(profile, caches)
    let backend = try AppleBackend(
      SimulatedFramework.library(world), profile: profile, target: profile.fullName, caches: caches,
      reader: TextReader.programReader(profile), options: options)
    return Opened(kind: .sim, reason: self.name, backend: backend, caches: caches)
  }

  private func ane(_ options: DeviceOptions, _ caches: CacheDirectory, reason: String)
    throws(OrionError) -> Opened
  {
    let profile = HostMachine.profile()
    let backend = try AppleBackend(
      try SystemFramework.library(), profile: profile, target: HostMachine.osBuild(),
      caches: caches, reader: TextReader.programReader(profile), options: options)
    return Opened(kind: .ane, reason: reason, backend: backend, caches: caches)
  }
}

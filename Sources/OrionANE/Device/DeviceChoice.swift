import ANEProfiles
import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A device's name, read; and how to open what it names.
struct DeviceChoice: Sendable {
  enum Wanted: Sendable, Equatable {
    /// With the arithmetic of a profile, or with its own.
    case cpu(profile: String?)
    case sim(profile: String)
    case ane
    case auto
  }
  let name: String
  let wanted: Wanted

  init(_ name: String) throws(OrionError) {
    self.name = name
    // An arithmetic may stand behind any name that has one of its own.
    let halves = name.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    let option = halves.count > 1 ? "+" + halves[1] : ""
    let parts = halves[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let profile = parts.count > 1 ? String(parts[1]) + option : nil
    switch (String(parts[0]), profile) {
    case ("cpu", nil): wanted = .cpu(profile: option.isEmpty ? nil : Profile.cpu.name + option)
    case ("cpu", let profile?): wanted = .cpu(profile: profile)
    case ("sim", let profile): wanted = .sim(profile: profile ?? Profile.standard.name + option)
    case ("ane", nil) where option.isEmpty: wanted = .ane
    case ("auto", nil) where option.isEmpty: wanted = .auto
    default: throw Self.unknown(name)
    }
    try check()
  }

  /// The profile that it names is known, and one that the kind can play.
  private func check() throws(OrionError) {
    switch wanted {
    case .cpu(nil), .ane, .auto: return
    case .cpu(let text?):
      if Profile.reading(text) != nil, name != "cpu:cpu" { return }
    case .sim(let text):
      guard let read = Profile.reading(text), Self.simulated.contains(read.name) else { break }
      return
    }
    throw Self.unknown(name)
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
    var options = options
    if options.route == nil { options.route = try Self.environmentRoute() }
    let caches = try CacheDirectory(options.cacheDirectory)
    if options.threads > 0 { orion_pool_set_threads(Int32(clamping: options.threads)) }
    switch wanted {
    case .cpu(let profile): return cpu(options, caches, profile: profile, reason: name)
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

  private static func environmentRoute() throws(OrionError) -> RouteName? {
    guard let value = getenv("ORION_ANE_ROUTE"), value.pointee != 0 else { return nil }
    let name = String(cString: value)
    if let route = RouteName(rawValue: name) { return route }
    let known = RouteName.allCases.map(\.rawValue).joined(separator: " or ")
    throw OrionError(.argument, "ORION_ANE_ROUTE \"\(name)\": unknown; expected \(known)")
  }

  private func cpu(
    _ options: DeviceOptions, _ caches: CacheDirectory, profile: String? = nil, reason: String
  ) -> Opened {
    let engine = profile.flatMap { Profile.reading($0) }
    let backend = HostBackend(caches, arithmetic: engine?.arithmetic, named: engine?.fullName)
    return Opened(kind: .cpu, reason: reason, backend: backend, caches: caches)
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

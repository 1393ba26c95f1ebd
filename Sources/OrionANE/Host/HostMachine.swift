import ANEProfiles

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What this machine says of itself: the chip and the build of its system.
enum HostMachine {
  /// The profile whose chip this machine has, else the standard one.
  static func profile() -> Profile {
    let chip = chip() ?? ""
    return Profile.chips.first { chip.hasSuffix(" \($0.chip)") } ?? .standard
  }

  /// As the system names it; `nil` where it does not.
  static func chip() -> String? { fact("machdep.cpu.brand_string") }

  /// The OS build, which the daemon's cache belongs to.
  static func osBuild() -> String { fact("kern.osversion") ?? "unknown" }

  private static func fact(_ name: String) -> String? {
    #if canImport(Darwin)
      var size = 0
      guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 1 else { return nil }
      var bytes = [UInt8](repeating: 0, count: size)
      guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return nil }
      return String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
    #else
      return nil
    #endif
  }
}

import ANEProfiles

/// One simulated machine: a profile, a daemon with its cache, a clock.
public final class World: Sendable {
  public let profile: Profile
  public init(profile: Profile) { self.profile = profile }
}

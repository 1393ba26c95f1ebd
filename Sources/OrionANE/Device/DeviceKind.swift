/// What a device is.
public enum DeviceKind: String, Sendable, CaseIterable {
  /// MILEngine on this machine, without the rules of any chip.
  case cpu
  /// The private framework's calls, answered by a Neural Engine in software.
  case sim
  /// Apple's private framework.
  case ane
}

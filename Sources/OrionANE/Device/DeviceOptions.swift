/// How a device is opened.
public struct DeviceOptions: Sendable {
  /// Record every call of the private framework; `Device.takeTrace()` gives them.
  public var trace = false
  /// `nil`: `$ORION_CACHE`, else `~/.cache/orion`.
  public var cacheDirectory: String?
  /// The call of the private framework that fails, counted from 1; 0: none.
  public var failCall: UInt64 = 0
  /// Threads of the engine on the host, shared by the process; 0: leave as it is.
  public var threads = 0

  /// How programs reach a Neural Engine; `nil`: `$ORION_ANE_ROUTE`, else the client's calls.
  public var route: RouteName?

  /// The usual way.
  public init() {}
}

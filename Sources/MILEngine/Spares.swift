/// Things that calls use one at a time and leave for the next one, so that calls allocate nothing once there are
/// as many as ever ran at once.
import Synchronization

public final class Spares<Thing: Sendable>: Sendable {
  private let idle = Mutex<[Thing]>([])

  /// None at first.
  public init() {}

  /// One that no call is using; `nil` when there is none.
  public func take() -> Thing? { idle.withLock { $0.popLast() } }

  /// For the next call.
  public func give(_ thing: Thing) { idle.withLock { $0.append(thing) } }
}

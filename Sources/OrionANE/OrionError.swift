/// What went wrong, in words a user can act on: the thing, what was expected, what came, what to do.
public struct OrionError: Error, Sendable, CustomStringConvertible {
  /// The kinds of the C ABI's status codes.
  public enum Kind: Int32, Sendable {
    case argument = 1
    case handle = 2
    case program = 3
    case device = 4
    case file = 5
    case context = 6
    case cancelled = 7
    case `internal` = 8
  }
  public let kind: Kind
  public let message: String
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
  public var description: String { message }
}

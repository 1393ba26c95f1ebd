/// What went wrong, in words a user can act on: the thing, what was expected, what came, what to do.
///
/// Every function of this module that can fail throws it, and nothing else.
public struct OrionError: Error, Sendable, CustomStringConvertible {
  /// What sort of thing went wrong; the numbers are the C interface's status codes.
  public enum Kind: Int32, Sendable {
    /// A value that the caller gave is out of range, or does not fit the others.
    case argument = 1
    /// A handle of the C interface is stale, or another thing's.
    case handle = 2
    /// A program's text is at fault; the message has file, line and column.
    case program = 3
    /// The device refused or failed.
    case device = 4
    /// A file or directory is missing, damaged, or of a form that is not known.
    case file = 5
    /// The text does not fit into the model's context, or into the room that is left beside others.
    case context = 6
    /// Someone asked for the end.
    case cancelled = 7
    /// A fault of this library.
    case `internal` = 8
  }
  /// What a program can decide by.
  public let kind: Kind
  /// What a person reads.
  public let message: String
  /// An error of a kind with its message.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
  /// The message.
  public var description: String { message }
}

/// A place where writes of files can be made to fail, as on a full disk: fault plans and tests set it
/// for what they call. It knows no files.
#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

public enum FileWatch {
  /// Asked before each operation that makes, fills, renames or links a file; an error number other than 0
  /// makes it fail with that number.
  @TaskLocal public static var verdict: (@Sendable (_ path: String) -> Int32)?

  /// Whether the operation that is about to begin fails; the error number is set then.
  public static func stops(_ path: String) -> Bool {
    guard let verdict, case let number = verdict(path), number != 0 else { return false }
    errno = number
    return true
  }

  /// Runs `body` with a verdict of the calling thread's own.
  public static func judging<R, E: Error>(
    by verdict: (@Sendable (String) -> Int32)?, _ body: () throws(E) -> R
  ) throws(E) -> R {
    let result: Result<R, E> = $verdict.withValue(verdict) {
      do throws(E) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

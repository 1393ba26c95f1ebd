import COrionANE

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Turns thrown errors into the C interface's status codes, and keeps each thread's last message.
enum LastError {
  /// Runs the body of an exported function.
  static func status(_ body: () throws(OrionError) -> Void) -> orion_status {
    do {
      try body()
      return orion_status(ORION_OK)
    } catch {
      set(error.message)
      return error.kind.rawValue
    }
  }

  /// The calling thread's message; `""` before its first failure. Valid until its next failure.
  static var text: UnsafePointer<CChar> {
    guard let kept = pthread_getspecific(key) else { return empty.pointer }
    return UnsafePointer(kept.assumingMemoryBound(to: CChar.self))
  }

  private static func set(_ message: String) {
    free(pthread_getspecific(key))
    pthread_setspecific(key, strdup(message))
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { free($0) }
    return key
  }()

  private struct Empty: @unchecked Sendable { let pointer: UnsafePointer<CChar> }
  private static let empty = Empty(
    pointer: UnsafePointer(calloc(1, 1).assumingMemoryBound(to: CChar.self)))
}

/// A thread that runs one closure and ends.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class Errand {
  private let body: @Sendable () -> Void

  private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  /// Whether a thread could be had.
  static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
    let errand = Unmanaged.passRetained(Errand(body))
    #if canImport(Glibc)
      var thread = pthread_t()
      let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
        $0.map { Unmanaged<Errand>.fromOpaque($0).takeRetainedValue().body() }
        return nil
      }
      let status = pthread_create(&thread, nil, main, errand.toOpaque())
      if status == 0 { pthread_detach(thread) }
    #else
      var thread: pthread_t?
      let status = pthread_create(
        &thread, nil,
        {
          Unmanaged<Errand>.fromOpaque($0).takeRetainedValue().body()
          return nil
        }, errand.toOpaque())
      if status == 0, let thread { pthread_detach(thread) }
    #endif
    if status != 0 { errand.release() }
    return status == 0
  }
}

/// What one thread remembers between calls of C functions that have no context argument: the world
/// it is bound to and its autorelease pools. It knows nothing of the objects in the pools.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class ThreadState {
  /// The world in which classes are looked up; `nil` outside of `World.bind`.
  var world: World?
  var pools = PoolStack()

  /// The calling thread's state.
  static var current: ThreadState {
    if let raw = pthread_getspecific(key) {
      return Unmanaged<ThreadState>.fromOpaque(raw).takeUnretainedValue()
    }
    let state = ThreadState()
    pthread_setspecific(key, Unmanaged.passRetained(state).toOpaque())
    return state
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { raw in ThreadState.threadEnds(raw) }
    return key
  }()

  private static func threadEnds(_ raw: UnsafeMutableRawPointer?) {
    guard let raw else { return }
    let state = Unmanaged<ThreadState>.fromOpaque(raw)
    for instance in state.takeUnretainedValue().pools.takeAll() { instance.release() }
    state.release()
  }
}

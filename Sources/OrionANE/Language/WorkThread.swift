#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A thread that runs an actor's work, so that steps of a device do not keep the threads of other tasks. It knows no
/// work.
final class WorkThread: SerialExecutor {
  private let queue: Queue

  init() throws(OrionError) {
    queue = Queue()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 8 << 20)
    let kept = Unmanaged.passRetained(queue)
    #if canImport(Glibc)
      var thread = pthread_t()
    #else
      var thread: pthread_t?
    #endif
    let status = pthread_create(&thread, &attributes, WorkThread.main, kept.toOpaque())
    guard status == 0 else {
      kept.release()
      throw OrionError(
        .internal, "language model: no thread (\(String(cString: strerror(status)))); close others")
    }
  }

  deinit { queue.close() }

  func enqueue(_ job: consuming ExecutorJob) { queue.add(UnownedJob(job), self) }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  #if canImport(Glibc)
    private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? =
      { argument in
        if let argument { work(argument) }
        return nil
      }
  #else
    private static let main: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? =
      { argument in
        work(argument)
        return nil
      }
  #endif

  private static func work(_ argument: UnsafeMutableRawPointer) {
    let queue = Unmanaged<Queue>.fromOpaque(argument).takeRetainedValue()
    while let (job, executor) = queue.take() {
      job.runSynchronously(on: executor.asUnownedSerialExecutor())
    }
  }

  /// Jobs in order; the thread waits here.
  private final class Queue: @unchecked Sendable {
    // All fields are touched under the lock alone.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let news = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [(UnownedJob, WorkThread)] = []
    private var isClosed = false

    init() {
      pthread_mutex_init(lock, nil)
      pthread_cond_init(news, nil)
    }

    deinit {
      pthread_cond_destroy(news)
      pthread_mutex_destroy(lock)
      news.deallocate()
      lock.deallocate()
    }

    func add(_ job: UnownedJob, _ executor: WorkThread) {
      pthread_mutex_lock(lock)
      jobs.append((job, executor))
      pthread_cond_signal(news)
      pthread_mutex_unlock(lock)
    }

    func close() {
      pthread_mutex_lock(lock)
      isClosed = true
      pthread_cond_signal(news)
      pthread_mutex_unlock(lock)
    }

    /// The next job; `nil` when no more can come.
    func take() -> (UnownedJob, WorkThread)? {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      while jobs.isEmpty, !isClosed { pthread_cond_wait(news, lock) }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}

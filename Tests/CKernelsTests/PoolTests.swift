import CKernels
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private final class Counters: Sendable {
  let runs: [Counter]
  init(_ count: Int) { runs = (0..<count).map { _ in Counter() } }
}

private final class Counter: Sendable {
  let value = Atomic<Int>(0)
}

private func count(_ context: UnsafeMutableRawPointer?, _ index: Int) {
  let counters = Unmanaged<Counters>.fromOpaque(context!).takeUnretainedValue()
  counters.runs[index].value.add(1, ordering: .relaxed)
}

private func countNested(_ context: UnsafeMutableRawPointer?, _ index: Int) {
  orion_pool_run(8, count, context)
}

private func run(_ total: Int, _ task: orion_task, _ counters: Counters) {
  orion_pool_run(total, task, Unmanaged.passUnretained(counters).toOpaque())
}

private func callManyRegions(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  for _ in 0..<200 { orion_pool_run(8, count, context) }
  return nil
}

extension Kernels {
  @Suite struct PoolTests {
    @Test func everyIndexRunsOnce() {
      withThreads([1, 2, 3, 5, 8]) { threads in
        for total in [0, 1, 2, 7, 1000] {
          let counters = Counters(total)
          run(total, count, counters)
          let runs = counters.runs.map { $0.value.load(ordering: .relaxed) }
          #expect(runs.allSatisfy { $0 == 1 }, "\(total) indices on \(threads) threads")
        }
      }
    }

    @Test func regionsFollowEachOther() {
      withThreads { threads in
        let counters = Counters(6)
        for _ in 0..<2000 { run(6, count, counters) }
        let runs = counters.runs.map { $0.value.load(ordering: .relaxed) }
        #expect(runs.allSatisfy { $0 == 2000 }, "\(threads) threads")
      }
    }

    @Test func regionsAfterSleepRun() {
      withThreads([3]) { _ in
        let counters = Counters(6)
        for _ in 0..<20 {
          run(6, count, counters)
          usleep(1000)
        }
        #expect(counters.runs.allSatisfy { $0.value.load(ordering: .relaxed) == 20 })
      }
    }

    @Test func nestedRegionsRunInline() {
      withThreads { _ in
        let counters = Counters(8)
        run(5, countNested, counters)
        #expect(counters.runs.allSatisfy { $0.value.load(ordering: .relaxed) == 5 })
      }
    }

    @Test func callersFromSeveralThreadsTakeTurns() {
      withThreads([2, 3]) { _ in
        let counters = Counters(8)
        let context = Unmanaged.passUnretained(counters).toOpaque()
        var callers: [pthread_t] = []
        for _ in 0..<3 {
          #if canImport(Glibc)
            var caller = pthread_t()
            pthread_create(&caller, nil, callManyRegions, context)
            callers.append(caller)
          #else
            var caller: pthread_t?
            pthread_create(&caller, nil, { callManyRegions($0) }, context)
            callers.append(caller!)
          #endif
        }
        for caller in callers { pthread_join(caller, nil) }
        #expect(counters.runs.allSatisfy { $0.value.load(ordering: .relaxed) == 600 })
      }
    }

    @Test func childProcessesHaveAPoolOfTheirOwn() throws {
      // Swift hides fork; the host process that loads this library may still call it.
      typealias Fork = @convention(c) () -> pid_t
      let fork = unsafeBitCast(try #require(dlsym(nil, "fork")), to: Fork.self)
      withThreads([3]) { _ in
        let counters = Counters(64)
        run(64, count, counters)
        let child = fork()
        if child == 0 {
          for _ in 0..<50 { run(64, count, counters) }
          let right = counters.runs.allSatisfy { $0.value.load(ordering: .relaxed) == 51 }
          _exit(right ? 0 : 1)
        }
        var status: Int32 = -1
        var waited = 0
        while waitpid(child, &status, WNOHANG) == 0 && waited < 10_000 {
          usleep(1000)
          waited += 1
        }
        if waited == 10_000 { kill(child, SIGKILL) }
        #expect(status == 0)
      }
    }

    @Test func threadCountsOutsideTheRangeChangeNothing() {
      let before = orion_pool_threads()
      orion_pool_set_threads(0)
      orion_pool_set_threads(257)
      #expect(orion_pool_threads() == before)
    }
  }
}

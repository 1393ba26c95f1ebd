/// What a run in progress may be told, and what it may have to say: a request to stop, and a fault that
/// only the run could find. It knows no plan.
import Synchronization

/// Counts the requests to stop the runs of a function.
final class StopRequests: Sendable {
  private let count = Atomic(0)
  func ask() { count.wrappingAdd(1, ordering: .relaxed) }
  var current: Int { count.load(ordering: .relaxed) }
}

/// Belongs to one run at a time.
final class RunControl: @unchecked Sendable {
  private let requests: StopRequests
  private var seen = 0
  /// Why the run cannot go on; the first reason counts.
  private(set) var fault: String?

  init(_ requests: StopRequests) { self.requests = requests }

  func begin() {
    seen = requests.current
    fault = nil
  }

  var isCancelled: Bool { requests.current != seen }
  var mustStop: Bool { fault != nil || isCancelled }
  func fail(_ message: @autoclosure () -> String) { fault = fault ?? message() }
}

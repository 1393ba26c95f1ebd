/// How long each step of a function took, for whoever makes programs faster. It knows no step.
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Asked for with `ORION_STEP_TIMES=FILE`: when a function is freed, its table is appended there.
final class StepTimes: Sendable {
  private struct Row {
    var nanoseconds: UInt64 = 0
    var calls = 0
  }

  private let rows: Mutex<[Row]>
  private let labels: [(text: String, flops: Double)]
  private let path: String

  /// `nil` when nobody asked.
  init?(_ plan: Plan) {
    guard let path = getenv("ORION_STEP_TIMES") else { return nil }
    self.path = String(cString: path)
    labels = plan.steps.map { ($0.label, $0.flops) }
    rows = Mutex(Array(repeating: Row(), count: plan.steps.count))
  }

  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  func add(_ step: Int, since start: UInt64) {
    let spent = Self.now &- start
    rows.withLock {
      $0[step].nanoseconds += spent
      $0[step].calls += 1
    }
  }

  /// A line for each step: its share, milliseconds a call, Gflop/s, what it is.
  func write(name: String) {
    let measured = rows.withLock { $0 }
    let total = measured.reduce(0) { $0 + $1.nanoseconds }
    guard total > 0, let file = fopen(path, "a") else { return }
    defer { fclose(file) }
    let calls = measured.map(\.calls).max() ?? 1
    let average = Self.text(Double(total) / 1e6 / Double(calls))
    var text = "\(name): \(calls) calls, \(average) ms each\n"
    for (row, label) in zip(measured, labels) where row.calls > 0 {
      let each = Double(row.nanoseconds) / Double(row.calls)
      let share = Self.text(100 * Double(row.nanoseconds) / Double(total))
      let rate = label.flops == 0 ? "" : "  \(Self.text(label.flops / each)) Gflop/s"
      text += "  \(share) %  \(Self.text(each / 1e6)) ms\(rate)  \(label.text)\n"
    }
    fputs(text, file)
  }

  private static func text(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    let rest = String(thousandths % 1000)
    return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
  }
}

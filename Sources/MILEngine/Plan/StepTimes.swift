/// How long each step of a function took, for whoever makes programs faster. It knows no step.
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Asked for with `ORION_STEP_TIMES=FILE`: when a function is freed, its table is appended there.
final class StepTimes: Sendable {
  /// Of the clock on the wall, and of all the process's threads together.
  struct Moment: Sendable {
    var wall: UInt64 = 0
    var processor: UInt64 = 0

    static var now: Moment {
      Moment(wall: read(CLOCK_MONOTONIC), processor: read(CLOCK_PROCESS_CPUTIME_ID))
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
      var time = timespec()
      clock_gettime(clock, &time)
      return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
  }

  private struct Row {
    var spent = Moment()
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

  func add(_ step: Int, since start: Moment) {
    let end = Moment.now
    rows.withLock {
      $0[step].spent.wall += end.wall &- start.wall
      $0[step].spent.processor += end.processor &- start.processor
      $0[step].calls += 1
    }
  }

  /// A line for each step: its share of the time, milliseconds a call, those of all threads
  /// together and Gflop/s in them, what it is. On a busy machine the threads' own time says more.
  /// Then a line for steps that are alike, and what all of them take a call: of a decoding program, a token.
  func write(name: String) {
    let measured = rows.withLock { $0 }
    let total = measured.reduce(0) { $0 + $1.spent.wall }
    guard total > 0, let file = fopen(path, "a") else { return }
    defer { fclose(file) }
    let calls = measured.map(\.calls).max() ?? 1
    let average = Self.text(Double(total) / 1e6 / Double(calls))
    var text = "\(name): \(calls) calls, \(average) ms each\n"
    var alike: [(text: String, steps: Int, sum: Row)] = []
    for (row, label) in zip(measured, labels) where row.calls > 0 {
      let busy = max(1, Double(row.spent.processor) / Double(row.calls))
      let rate = label.flops == 0 ? "" : "  \(Self.text(label.flops / busy)) Gflop/s"
      text += "  \(Self.times(row, of: total))\(rate)  \(label.text)\n"
      let known = alike.firstIndex { $0.text == label.text }
      let place = known ?? alike.count
      if known == nil { alike.append((label.text, 0, Row(calls: row.calls))) }
      alike[place].steps += 1
      alike[place].sum.spent.wall += row.spent.wall
      alike[place].sum.spent.processor += row.spent.processor
    }
    text += "\(name), steps that are alike together:\n"
    for kind in alike {
      text += "  \(Self.times(kind.sum, of: total))  \(kind.steps) x \(kind.text)\n"
    }
    fputs(text, file)
  }

  private static func times(_ row: Row, of total: UInt64) -> String {
    let each = Double(row.spent.wall) / Double(row.calls)
    let busy = Double(row.spent.processor) / Double(row.calls)
    let share = Self.text(100 * Double(row.spent.wall) / Double(total))
    return "\(share) %  \(Self.text(each / 1e6)) ms  \(Self.text(busy / 1e6)) busy"
  }

  private static func text(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    let rest = String(thousandths % 1000)
    return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
  }
}

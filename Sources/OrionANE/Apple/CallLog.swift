import Synchronization

/// Sees every foreign call: counts those that can fail, makes the n-th of them fail, and, when tracing,
/// keeps a line for each call in order.
final class CallLog: Sendable {
  let isTracing: Bool
  /// The call that fails, counted from 1; 0: none.
  private let failCall: UInt64
  private let count = Atomic<UInt64>(0)
  private let lines = Mutex<[String]>([])

  init(trace: Bool, failCall: UInt64) {
    isTracing = trace
    self.failCall = failCall
  }

  /// Calls that can fail, so far.
  var callCount: UInt64 { count.load(ordering: .relaxed) }

  /// The recorded lines; forgets them.
  func take() -> String {
    let taken = lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
    return taken.map { $0 + "\n" }.joined()
  }

  /// Makes a call that can fail. When it is the one to fail it is not made and `failure` is its result.
  func call<R>(
    _ line: @autoclosure () -> String, failure: R, show: (R) -> String, _ body: () -> R
  ) -> R {
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    guard number != failCall else {
      if isTracing { append("\(line()) -> \(show(failure)) (call \(number), made to fail)") }
      return failure
    }
    let result = body()
    if isTracing { append("\(line()) -> \(show(result))") }
    return result
  }

  /// Makes a call that cannot fail.
  func record<R>(_ line: @autoclosure () -> String, show: (R) -> String, _ body: () -> R) -> R {
    let result = body()
    if isTracing {
      let shown = show(result)
      append(shown.isEmpty ? line() : "\(line()) -> \(shown)")
    }
    return result
  }

  private func append(_ line: String) { lines.withLock { $0.append(line) } }
}

/// How results look in a trace.
enum Shown {
  static func reference(_ value: UnsafeMutableRawPointer?) -> String {
    value.map { "0x" + String(UInt(bitPattern: $0), radix: 16) } ?? "null"
  }
  static func bool(_ value: UInt8) -> String { value != 0 ? "true" : "false" }
  static func code(_ value: Int32) -> String {
    value == 0 ? "0" : "0x" + String(UInt32(bitPattern: value), radix: 16)
  }
  static func nothing(_ value: Void) -> String { "" }
}

/// The framework's no to a message.
struct Refusal: Sendable {
  let message: MessageRow
  let program: String
  /// What the framework said; `nil` when it said nothing.
  let fault: NativeError?

  var error: OrionError {
    let what =
      fault.map { "failed: \($0.message)" } ?? "returned false and gave no error; expected true"
    return OrionError(.device, "program \(program): \(message.name) \(what)")
  }

  /// The error of a program whose faults are known.
  func error(explainedBy faults: String) -> OrionError {
    let summary = fault?.summary ?? "no error given"
    return OrionError(
      .program, "\(faults)\nprogram \(program): \(message.name) refused it (\(summary))")
  }
}

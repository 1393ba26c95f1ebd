/// Puts the framework's errors into words: domain, code, text, and what to do about the known ones.
enum NativeError {
  /// The error for a message that returned false. `reference` is what it left behind, borrowed.
  static func error(
    after row: MessageRow, about thing: String, _ reference: FunctionTable.Reference?,
    _ foreign: Foreign
  ) -> OrionError {
    guard let reference else {
      return OrionError(
        .device, "\(thing): \(row.name) returned false and gave no error; expected true")
    }
    let table = foreign.table
    let domain = foreign.string(table.errorDomain(reference)) ?? "unknown domain"
    let code = table.errorCode(reference)
    let text = copied(table.errorDescription(reference), foreign) ?? "no text"
    var message = "\(thing): \(row.name) failed: \(domain) \(code): \(text)"
    if let reason = copied(table.errorFailureReason?(reference), foreign), !text.contains(reason) {
      message += " (\(reason))"
    }
    if let advice = advice(domain: domain, code: code, text: message) { message += "; \(advice)" }
    return OrionError(.device, message)
  }

  private static func copied(_ string: FunctionTable.Reference?, _ foreign: Foreign) -> String? {
    guard let string else { return nil }
    defer { foreign.table.release(string) }
    return foreign.string(string)
  }

  private struct Row {
    let domain: String
    let code: Int
    /// Must stand in the text; "" matches all.
    let part: String
    let advice: String
  }

  private static let engine = "com.apple.appleneuralengine"
  private static let compiler = "com.apple.appleneuralengine.compiler"
  private static let espresso = "com.apple.appleneuralengine.espresso"

  /// The first row that matches speaks.
  private static let rows = [
    Row(
      domain: compiler, code: 1, part: "",
      advice:
        "the compiler gives no reason: look for ops, arguments and sizes that this chip refuses"
    ),
    Row(
      domain: espresso, code: -1, part: "",
      advice: "the model type was not taken as MIL; this version of the system is not known to work"
    ),
    Row(domain: engine, code: 1, part: "", advice: "this call needs an entitlement"),
    Row(domain: engine, code: 2, part: "", advice: "real-time priority needs an entitlement"),
    Row(
      domain: engine, code: 3, part: "",
      advice: "the daemon was busy for 30 s; try again when other programs are done"),
    Row(
      domain: engine, code: 5, part: "",
      advice: "the queue is full; evaluate from fewer threads at once"),
    Row(
      domain: engine, code: 6, part: "0x50004",
      advice: "too many programs are loaded; free some, or put several functions into one program"),
    Row(
      domain: engine, code: 6, part: "0x20004",
      advice: "the device's address space is full; free programs and tensors"),
    Row(
      domain: engine, code: 6, part: "0x10004",
      advice: "the program is too large; split it"),
    Row(
      domain: engine, code: 7, part: "",
      advice: "this process is not signed; an ad-hoc signature is enough (codesign -s -)"),
    Row(
      domain: engine, code: 8, part: "0x1d",
      advice:
        "a surface is too small, too narrow or badly strided; pad the width to a multiple of 32"),
    Row(
      domain: engine, code: 8, part: "0x9",
      advice: "the engine faulted: widths under 32, or one tensor as input and output"),
    Row(
      domain: engine, code: 8, part: "0x2",
      advice: "a symbol index is not the procedure's; compile the program anew"),
    Row(
      domain: engine, code: 9, part: "",
      advice: "a file of the model directory cannot be read; check the cache directory's rights"),
    Row(
      domain: engine, code: 13, part: "",
      advice: "a surface cannot be mapped; free tensors and try again"),
    Row(
      domain: engine, code: 16, part: "",
      advice: "a file of the model directory is missing; clear the cache and compile anew"),
    Row(
      domain: engine, code: 22, part: "",
      advice: "this is a virtual machine whose host is too old"),
    Row(
      domain: engine, code: 23, part: "",
      advice: "the program is not loaded; compile it anew"),
  ]

  static func advice(domain: String, code: Int, text: String) -> String? {
    rows.first {
      $0.domain == domain && $0.code == code && ($0.part.isEmpty || text.contains($0.part))
    }?
    .advice
  }
}

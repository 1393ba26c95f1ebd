/// An error of the framework, read: domain, code, text, and what is known about it.
struct NativeError: Sendable {
  let domain: String
  let code: Int
  let text: String
  /// More words, where the error has them.
  let reason: String?

  /// Reads an error object, borrowed.
  init(_ reference: FunctionTable.Reference, _ foreign: Foreign) {
    let table = foreign.table
    domain = foreign.string(table.errorDomain(reference)) ?? "unknown domain"
    code = table.errorCode(reference)
    text = Self.copied(table.errorDescription(reference), foreign) ?? "no text"
    reason = Self.copied(table.errorFailureReason?(reference), foreign)
  }

  init(domain: String, code: Int, text: String, reason: String? = nil) {
    self.domain = domain
    self.code = code
    self.text = text
    self.reason = reason
  }

  private static func copied(_ string: FunctionTable.Reference?, _ foreign: Foreign) -> String? {
    guard let string else { return nil }
    defer { foreign.table.release(string) }
    return foreign.string(string)
  }

  /// Domain, code and text.
  var summary: String { "\(domain) \(code): \(text)" }

  /// The summary, the reason, and what to do.
  var message: String {
    var message = summary
    if let reason, !text.contains(reason) { message += " (\(reason))" }
    if let advice = row?.advice { message += "; \(advice)" }
    return message
  }

  /// The daemon does not have the program any more, as after it was restarted.
  var isLost: Bool { domain == Self.engine && code == 23 }

  /// Compiling anew may help: the error is not about what this process may do or how much fits.
  var mayBeStale: Bool {
    domain == Self.engine && Self.staleCodes.contains(code) && row?.isLimit != true
  }

  /// Program creation, load, file access, invalid model, file, identifiers and programs not found.
  private static let staleCodes = [4, 6, 9, 10, 16, 17, 18, 23]

  /// What is known about the error.
  private var row: Row? {
    Self.rows.first {
      $0.domain == domain && $0.code == code && ($0.part.isEmpty || text.contains($0.part))
    }
  }

  private struct Row {
    let domain: String
    let code: Int
    /// Must stand in the text; "" matches all.
    let part: String
    let advice: String
    var isLimit = false
  }

  private static let engine = "com.apple.appleneuralengine"
  private static let compiler = "com.apple.appleneuralengine.compiler"
  private static let cocoa = "NSCocoaErrorDomain"
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
    Row(
      domain: cocoa, code: 4097, part: "",
      advice: "the daemon stopped while it answered; try again"),
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
      advice: "too many programs are loaded; free some, or put several functions into one program",
      isLimit: true),
    Row(
      domain: engine, code: 6, part: "0x20004",
      advice: "the device's address space is full; free programs and tensors", isLimit: true),
    Row(
      domain: engine, code: 6, part: "0x10004",
      advice: "the program is too large; split it", isLimit: true),
    Row(
      domain: engine, code: 7, part: "",
      advice: "this process is not signed; an ad-hoc signature is enough (codesign -s -)"),
    Row(
      domain: engine, code: 8, part: "status=0x1d",
      advice:
        "a surface is too small, too narrow or badly strided; pad the width to a multiple of 32"),
    Row(
      domain: engine, code: 8, part: "status=0x16",
      advice: "the engine faulted: widths under 32, or one tensor as input and output"),
    Row(
      domain: engine, code: 8, part: "status=0x2",
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
}

import ANEProfiles

/// How the breaches of one rule are mended, where that needs no judgement. The rows stand in
/// `ArgumentFixes.swift` and `OpFixes.swift`.
struct RuleFix: Sendable {
  /// The id of a row of `ANEProfiles`.
  let id: String
  let make: @Sendable (FixSite) -> Fix?

  static let all: [RuleFix] = argumentFixes + opFixes

  static func named(_ id: String) -> RuleFix? { byID[id] }

  private static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

  /// The fix of a finding at `span`.
  func fix(at span: SourceSpan, in subject: RuleSubject) -> Fix? {
    let offset = span.start.offset
    guard let function = subject.functions.first(where: { $0.syntax.span.holds(offset) }) else {
      return nil
    }
    return make(FixSite(span, in: function, of: subject))
  }
}

/// Where a fix is wanted, and the words it is written with.
struct FixSite {
  let span: SourceSpan
  let function: RuleFunction
  /// The statement that the finding stands in; `nil` for findings about inputs and results.
  let statement: RuleStatement?
  private let version: String
  private let refused: [RefusedOp]

  init(_ span: SourceSpan, in function: RuleFunction, of subject: RuleSubject) {
    self.span = span
    self.function = function
    version = subject.tree.version
    refused = subject.profile.refusedOps
    statement = function.statement(at: span.start.offset)
  }

  /// Whether the profile refuses an op by a rule that writes it otherwise.
  func isRewritten(_ op: String) -> Bool {
    refused.contains { $0.op == op && $0.rule == "no-rsqrt" }
  }

  /// `base`, or the first of `base_1`, `base_2`, … that nothing in the function is called.
  func freshName(_ base: String) -> String {
    guard function.names.contains(base) else { return base }
    let free = (1...).lazy.map { "\(base)_\($0)" }.first { !function.names.contains($0) }
    return free ?? base
  }

  func typeText(_ dtype: DType, _ shape: [Int] = []) -> String {
    MILType.tensor(dtype, shape.map { .fixed($0) }).text(version: version)
  }

  /// `type(payload)`, the payload in square brackets where the type is no scalar.
  func literal(_ dtype: DType, _ values: [String], scalar: Bool = false) -> String {
    scalar
      ? "\(typeText(dtype))(\(values.first ?? ""))"
      : "\(typeText(dtype, [values.count]))([\(values.joined(separator: ", "))])"
  }

  func text(of literal: Literal) -> String { literal.text(version: version) }
  func text(of type: MILType) -> String { type.text(version: version) }

  /// `type name = const()[name = string("name"), val = literal];`
  func constant(_ name: String, _ type: String, _ literal: String) -> String {
    "\(type) \(name) = const()[name = \(typeText(.string))(\"\(name)\"), val = \(literal)];"
  }

  /// A line of its own in front of a statement.
  func line(_ text: String, before operation: Operation) -> Fix.Edit {
    let start = operation.span.start
    return Fix.Edit(
      text + "\n" + indentation(of: operation), at: SourceSpan(start: start, end: start))
  }

  /// Lines of their own behind a statement.
  func lines(_ texts: [String], after operation: Operation) -> Fix.Edit {
    let end = operation.span.end
    let separator = "\n" + indentation(of: operation)
    return Fix.Edit(
      texts.map { separator + $0 }.joined(), at: SourceSpan(start: end, end: end))
  }

  private func indentation(of operation: Operation) -> String {
    String(repeating: " ", count: operation.span.start.column - 1)
  }
}

extension RuleFunction {
  /// The statement that holds a place; statements stand in order.
  func statement(at offset: Int) -> RuleStatement? {
    var low = 0
    var high = statements.count
    while low < high {
      let middle = (low + high) / 2
      if statements[middle].operation.span.end.offset <= offset {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < statements.count, statements[low].operation.span.holds(offset) else { return nil }
    return statements[low]
  }
}

extension SourceSpan {
  fileprivate func holds(_ offset: Int) -> Bool {
    start.offset <= offset && offset < end.offset
  }
}

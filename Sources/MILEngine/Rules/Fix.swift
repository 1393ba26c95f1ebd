/// A change of a text that mends one finding. It is made of edits, so that whatever they do not touch,
/// comments included, stays as it was written.
public struct Fix: Sendable, Hashable {
  /// What it does, as `write \`rsqrt\` as a power`.
  public var title: String
  /// In any order; none overlaps another.
  public var edits: [Edit]
  public init(_ title: String, _ edits: [Edit]) {
    self.title = title
    self.edits = edits
  }

  /// `text` comes in place of `span`; an empty span is an insertion.
  public struct Edit: Sendable, Hashable {
    public var span: SourceSpan
    public var text: String
    public init(_ text: String, at span: SourceSpan) {
      self.text = text
      self.span = span
    }
  }
}

/// A text after its fixes.
public struct FixedText: Sendable {
  /// What happened to one fix.
  public struct Outcome: Sendable {
    public var rule: String
    public var line: Int
    public var title: String
    /// Why it was not made, or `nil`.
    public var obstacle: String?
  }
  public var text: String
  public var outcomes: [Outcome]

  /// Makes the fixes of `found` that do not meet each other; the others wait for the next round.
  static func applying(_ found: [Diagnostic], to text: String) -> FixedText {
    let bytes = Array(text.utf8)
    var taken: Set<Fix.Edit> = []
    var outcomes: [Outcome] = []
    for diagnostic in found {
      guard let fix = diagnostic.fix else { continue }
      var outcome = Outcome(
        rule: diagnostic.rule, line: diagnostic.span?.start.line ?? 1, title: fix.title)
      let edits = fix.edits.filter { !taken.contains($0) }
      if edits.isEmpty { continue }
      if edits.contains(where: { hasComment(bytes, $0.span) }) {
        outcome.obstacle = "a comment stands in the middle of what would be replaced; move it away"
      } else if edits.contains(where: { edit in taken.contains { edit.meets($0) } }) {
        continue
      } else {
        taken.formUnion(edits)
      }
      outcomes.append(outcome)
    }
    return FixedText(text: replace(bytes, taken), outcomes: outcomes)
  }

  private static func replace(_ bytes: [UInt8], _ edits: Set<Fix.Edit>) -> String {
    var result: [UInt8] = []
    var next = 0
    for edit in edits.sorted(by: { $0.order < $1.order }) {
      result += bytes[next..<edit.span.start.offset]
      result += Array(edit.text.utf8)
      next = edit.span.end.offset
    }
    return String(decoding: result + bytes[next...], as: UTF8.self)
  }

  private static func hasComment(_ bytes: [UInt8], _ span: SourceSpan) -> Bool {
    let slash = UInt8(ascii: "/")
    let stretch = bytes[span.start.offset..<span.end.offset]
    return stretch.indices.dropLast().contains {
      stretch[$0] == slash
        && (stretch[$0 + 1] == slash || stretch[$0 + 1] == UInt8(ascii: "*"))
    }
  }
}

extension Fix.Edit {
  /// Two insertions at one place do not meet; one at the edge of what is replaced does.
  fileprivate func meets(_ other: Fix.Edit) -> Bool {
    let (start, end) = (span.start.offset, span.end.offset)
    if start == end, other.span.start == other.span.end { return false }
    return start <= other.span.end.offset && other.span.start.offset <= end
  }

  /// Insertions come before what is replaced at the same place.
  fileprivate var order: (Int, Int, String) { (span.start.offset, span.end.offset, text) }
}

/// Reads the text of a fault plan.

struct FaultPlanReader {
  private let text: [Character]
  private var next = 0

  init(_ text: String) { self.text = Array(text) }

  mutating func plan() throws(SimulatorError) -> [FaultPlan.Row] {
    var rows: [FaultPlan.Row] = []
    skipSpace()
    while next < text.count {
      rows.append(try row())
      guard next < text.count else { break }
      try expect(";")
    }
    return rows
  }

  private mutating func row() throws(SimulatorError) -> FaultPlan.Row {
    let start = next
    let name = word()
    guard let operation = FaultPlan.Operation(rawValue: name) else {
      let known = FaultPlan.Operation.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault("\"\(name)\" is no operation; there are \(known)", at: start)
    }
    try expect("@")
    let place = next
    guard let number = Int(word()), number > 0 else {
      throw fault("expected a number from 1, of the operation that fails", at: place)
    }
    let isLasting = peek == "+"
    if isLasting { try expect("+") }
    try expect("=")
    let effectPlace = next
    let effect = try effect()
    let allowed = FaultPlan.effects.first { $0.operation == operation }?.effects ?? []
    guard allowed.contains(effect.name) else {
      throw fault(
        "\(operation.rawValue) cannot \(effect.name); it takes"
          + " \(allowed.joined(separator: ", "))", at: effectPlace)
    }
    return FaultPlan.Row(
      operation: operation, number: number, isLasting: isLasting, effect: effect)
  }

  private mutating func effect() throws(SimulatorError) -> FaultPlan.Effect {
    let start = next
    switch word() {
    case "refuse": return .refuse
    case "disconnect": return .disconnect
    case "full": return .full
    case "stale": return .stale
    case "flip": return .flip
    case "delay":
      try expect(":")
      let place = next
      guard let seconds = Double(word()), seconds >= 0, seconds.isFinite else {
        throw fault("expected seconds", at: place)
      }
      return .delay(seconds: seconds)
    case "error":
      try expect(":")
      let place = next
      guard let code = Self.number(word()), Failure.Kind(rawValue: code) != nil else {
        throw fault("expected an error code of the framework, 1 to 23 or 25", at: place)
      }
      guard peek == "/" else { return .error(code: code, status: nil) }
      try expect("/")
      let statusPlace = next
      guard let status = Self.number(word()) else {
        throw fault("expected a status, as 0x1d", at: statusPlace)
      }
      return .error(code: code, status: status)
    case let name:
      throw fault(
        "\"\(name)\" is no effect; there are error:CODE, refuse, delay:SECONDS, disconnect, full,"
          + " stale, flip", at: start)
    }
  }

  private static func number(_ text: String) -> Int? {
    text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
  }

  private var peek: Character? { next < text.count ? text[next] : nil }

  private mutating func skipSpace() {
    while let character = peek, character.isWhitespace { next += 1 }
  }

  /// Letters, digits and points, with the space after them.
  private mutating func word() -> String {
    let start = next
    while let character = peek, character.isLetter || character.isNumber || character == "." {
      next += 1
    }
    defer { skipSpace() }
    return String(text[start..<next])
  }

  private mutating func expect(_ character: Character) throws(SimulatorError) {
    guard peek == character else {
      throw fault(
        "expected \"\(character)\"\(peek.map { ", found \"\($0)\"" } ?? " before the end")",
        at: next)
    }
    next += 1
    skipSpace()
  }

  private func fault(_ what: String, at place: Int) -> SimulatorError {
    SimulatorError("fault plan, column \(place + 1): \(what)")
  }
}

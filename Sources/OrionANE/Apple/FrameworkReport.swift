/// What a library that answers the framework's calls has: its classes and messages, held against those that are
/// known, and what it says of the machine.
struct FrameworkReport {
  typealias Reference = FunctionTable.Reference

  private let foreign: Foreign

  init(_ library: ForeignLibrary) throws(OrionError) {
    foreign = try Foreign(library, log: CallLog(trace: false, failCall: 0))
  }

  /// {name, classes: [{name, found}], messages: [{message, state, expected, found, needed_by}], device}.
  func json() throws(OrionError) -> JSONValue {
    try foreign.enter { () throws(OrionError) in
      var rows: [(row: MessageRow, routes: [RouteName])] = []
      let needed = [(RouteName.client, ClientMessages.all), (.memory, MemoryMessages.all)]
      for row in needed.flatMap(\.1) + KnownMessages.others
      where !rows.contains(where: { $0.row == row }) {
        rows.append((row, needed.filter { $0.1.contains(row) }.map(\.0)))
      }
      var classes: [String] = []
      for (row, _) in rows where !classes.contains(row.className) {
        classes.append(row.className)
      }
      return [
        "name": JSONValue(foreign.library.name),
        "classes": .array(
          classes.map {
            ["name": JSONValue($0), "found": .bool(foreign.table.getClass($0) != nil)]
          }),
        "messages": .array(rows.map { message($0.row, $0.routes) }),
        "device": try device(),
      ]
    }
  }

  private func message(_ row: MessageRow, _ routes: [RouteName]) -> JSONValue {
    let found = encoding(row)
    let state =
      found.map {
        TypeEncoding.normalized($0) == TypeEncoding.normalized(row.encoding) ? "same" : "changed"
      } ?? "absent"
    return [
      "message": JSONValue(row.name), "state": JSONValue(state),
      "expected": JSONValue(row.encoding), "found": found.map { JSONValue($0) } ?? .null,
      "needed_by": .array(routes.map { JSONValue($0.rawValue) }),
    ]
  }

  /// As the runtime gives it.
  private func encoding(_ row: MessageRow) -> String? {
    let table = foreign.table
    guard let type = table.getClass(row.className),
      let selector = table.registerSelector(row.selector)
    else { return nil }
    let method =
      row.receiver == .instance
      ? table.instanceMethod(type, selector) : table.classMethod(type, selector)
    return method.flatMap { table.typeEncoding($0) }.map { String(cString: $0) }
  }

  /// What the framework says of the machine, as far as it has the messages.
  private func device() throws(OrionError) -> JSONValue {
    var facts: [JSONMember] = []
    for (names, type) in [
      (KnownMessages.deviceFlags, "B@:"), (KnownMessages.deviceNumbers, "I@:"),
      (KnownMessages.deviceTexts, "@@:"),
    ] {
      for name in names {
        let row = KnownMessages.device(name, type)
        guard let found = encoding(row),
          TypeEncoding.normalized(found) == TypeEncoding.normalized(type)
        else { continue }
        facts.append(JSONMember(name, try answer(row)))
      }
    }
    return .object(facts)
  }

  private func answer(_ row: MessageRow) throws(OrionError) -> JSONValue {
    let messenger = try Messenger(foreign, rows: [row])
    switch row.encoding {
    case "B@:":
      return .bool(
        try messenger.send(row, as: (@convention(c) (Reference, Reference) -> UInt8).self) {
          $0($1, $2)
        } != 0)
    case "I@:":
      return JSONValue(
        Int(
          try messenger.send(row, as: (@convention(c) (Reference, Reference) -> UInt32).self) {
            $0($1, $2)
          }))
    default:
      let text = try messenger.send(row, as: Messenger.Getter.self) { $0($1, $2) }
      return foreign.string(text).map { JSONValue($0) } ?? .null
    }
  }
}

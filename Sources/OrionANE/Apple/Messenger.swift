/// Sends messages through implementations that were looked up and compared once, at the start.
final class Messenger: Sendable {
  typealias Reference = FunctionTable.Reference
  typealias ErrorSlot = UnsafeMutablePointer<Reference?>

  private struct Target: @unchecked Sendable {
    let type: Reference
    let selector: Reference
    let implementation: Reference
  }

  let foreign: Foreign
  private let targets: [MessageRow: Target]

  /// Looks up every row. One error names all classes and selectors that are missing or have changed.
  init(_ foreign: Foreign, rows: [MessageRow]) throws(OrionError) {
    self.foreign = foreign
    var targets: [MessageRow: Target] = [:]
    var types: [String: Reference?] = [:]
    var faults: [String] = []
    for row in rows {
      let type: Reference?
      if let known = types[row.className] {
        type = known
      } else {
        type = Self.type(row.className, foreign)
        types[row.className] = .some(type)
        if type == nil {
          faults.append("objc_getClass(\"\(row.className)\") found no such class")
        }
      }
      guard let type else { continue }
      switch Self.target(row, type, foreign.table) {
      case .found(let target): targets[row] = target
      case .fault(let text): faults.append(text)
      }
    }
    guard faults.isEmpty else {
      throw OrionError(
        .device,
        "\(foreign.library.name): \(faults.joined(separator: "; "));"
          + " this version of the system is not known to work")
    }
    self.targets = targets
  }

  /// Sends `row` to an object, or to its class when `receiver` is `nil`. `call` gets the implementation,
  /// the receiver and the selector, and returns what the implementation returns.
  func send<F, R>(
    _ row: MessageRow, to receiver: Reference? = nil, as type: F.Type,
    _ call: (F, Reference, Reference) -> R
  ) throws(OrionError) -> R {
    guard let target = targets[row] else {
      throw OrionError(.internal, "\(row.name): not among the messages looked up at the start")
    }
    return call(
      unsafeBitCast(target.implementation, to: type), receiver ?? target.type, target.selector)
  }

  private enum Lookup {
    case found(Target)
    case fault(String)
  }

  private static func type(_ name: String, _ foreign: Foreign) -> Reference? {
    foreign.log.call(
      "objc_getClass \(name)", failure: nil, show: Shown.reference
    ) { foreign.table.getClass(name) }
  }

  private static func target(_ row: MessageRow, _ type: Reference, _ table: FunctionTable)
    -> Lookup
  {
    let expected = "expected type \(row.encoding)"
    guard let selector = table.registerSelector(row.selector) else {
      return .fault("\(row.name): the selector cannot be registered")
    }
    // A method of a class is a method of the class's own class.
    let holder =
      row.receiver == .instance
      ? type : table.objectGetClass?(type) ?? table.getMetaClass?(row.className)
    // Without this check the lookup gives a forwarder, never nothing.
    guard let holder, table.respondsToSelector(holder, selector) != 0 else {
      return .fault("\(row.name): \(expected), found no such method")
    }
    let method =
      row.receiver == .instance
      ? table.instanceMethod(type, selector) : table.classMethod(type, selector)
    guard let method, let encoding = table.typeEncoding(method) else {
      return .fault("\(row.name): \(expected), found a method without a type")
    }
    let found = TypeEncoding.normalized(String(cString: encoding))
    guard found == TypeEncoding.normalized(row.encoding) else {
      return .fault("\(row.name): \(expected), found \(found)")
    }
    guard let implementation = table.methodImplementation(holder, selector) else {
      return .fault("\(row.name): \(expected), found no implementation")
    }
    return .found(Target(type: type, selector: selector, implementation: implementation))
  }
}

// MARK: - Messages that answer an object

extension Messenger {
  typealias Getter = @convention(c) (Reference, Reference) -> Reference?
  typealias Factory = @convention(c) (Reference, Reference, Reference, Reference) -> Reference?
  typealias Wrapper = @convention(c) (Reference, Reference, Reference) -> Reference?

  /// A message without arguments that answers an object.
  func object(_ row: MessageRow, to receiver: Reference? = nil)
    throws(OrionError) -> ForeignObject
  {
    let found = try send(row, to: receiver, as: Getter.self) { call, receiver, selector in
      foreign.log.call(row.name, failure: nil, show: Shown.reference) { call(receiver, selector) }
    }
    return try foreign.retained(found, by: row.name)
  }

  /// A message to a class with two objects, answering an object.
  func object(_ row: MessageRow, _ first: Reference, _ second: Reference, note: String)
    throws(OrionError) -> ForeignObject
  {
    let made = try send(row, as: Factory.self) { call, receiver, selector in
      foreign.log.call("\(row.name) \(note)", failure: nil, show: Shown.reference) {
        call(receiver, selector, first, second)
      }
    }
    return try foreign.retained(made, by: row.name)
  }

  /// A message to a class with one object, answering an object.
  func object(_ row: MessageRow, _ argument: Reference, note: String)
    throws(OrionError) -> ForeignObject
  {
    let made = try send(row, as: Wrapper.self) { call, receiver, selector in
      foreign.log.call("\(row.name) \(note)", failure: nil, show: Shown.reference) {
        call(receiver, selector, argument)
      }
    }
    return try foreign.retained(made, by: row.name)
  }

  /// The framework's object around a surface.
  func wrap(_ surface: ForeignObject) throws(OrionError) -> ForeignObject {
    let row = SharedMessages.surface
    let made = try send(row, as: Wrapper.self) { call, receiver, selector in
      foreign.log.call(row.name, failure: nil, show: Shown.reference) {
        call(receiver, selector, surface.reference)
      }
    }
    return try foreign.retained(made, by: row.name)
  }
}

/// A value of a JSON file together with the path that leads to it, so that every complaint names its place.
/// It knows no field's meaning.
struct ManifestField {
  let value: JSONValue
  /// The file's own path, for messages.
  let file: String
  /// As `programs[0].inputs[2].role`; empty for the whole file.
  let path: String
  /// What helps against a file that is wrong.
  let remedy: String

  init(
    _ value: JSONValue, file: String, path: String = "",
    remedy: String = "Build the bundle again (orion compile)"
  ) {
    self.value = value
    self.file = file
    self.path = path
    self.remedy = remedy
  }

  /// The error that all faults of the file become.
  func fault(_ message: String) -> OrionError {
    OrionError(
      .file,
      "\(file)\(path.isEmpty ? "" : ": \(path)"): \(message)."
        + " \(remedy).")
  }

  func fault(expected: String) -> OrionError {
    let shown: String
    switch value {
    case .object, .array: shown = value.kind
    default: shown = value.text.count <= 80 ? value.text : value.kind
    }
    return fault("expected \(expected), got \(shown)")
  }

  /// The member called `name`; `nil` when it is missing or null.
  func optional(_ name: String) throws(OrionError) -> ManifestField? {
    guard case .object(let members) = value else { throw fault(expected: "an object") }
    guard let member = members.first(where: { $0.name == name }), member.value != .null else {
      return nil
    }
    return child(member)
  }

  func required(_ name: String) throws(OrionError) -> ManifestField {
    guard let member = try optional(name) else { throw fault("the field \"\(name)\" is missing") }
    return member
  }

  /// Every member with its name, in the order of the text.
  func members() throws(OrionError) -> [(name: String, field: ManifestField)] {
    guard case .object(let members) = value else { throw fault(expected: "an object") }
    return members.map { ($0.name, child($0)) }
  }

  func elements() throws(OrionError) -> [ManifestField] {
    guard case .array(let elements) = value else { throw fault(expected: "an array") }
    return elements.enumerated().map {
      ManifestField($1, file: file, path: "\(path)[\($0)]", remedy: remedy)
    }
  }

  /// A text that is not empty and holds no control characters.
  func string() throws(OrionError) -> String {
    guard case .string(let text) = value, !text.isEmpty,
      !text.unicodeScalars.contains(where: { $0.value < 0x20 })
    else { throw fault(expected: "a text that is not empty") }
    return text
  }

  func integer(_ range: ClosedRange<Int>) throws(OrionError) -> Int {
    guard case .integer(let integer) = value, let number = Int(exactly: integer),
      range.contains(number)
    else {
      throw fault(expected: "an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func number() throws(OrionError) -> Double {
    switch value {
    case .integer(let integer): return Double(integer)
    case .number(let number) where number.isFinite: return number
    default: throw fault(expected: "a number")
    }
  }

  private func child(_ member: JSONMember) -> ManifestField {
    let path = path.isEmpty ? member.name : "\(path).\(member.name)"
    return ManifestField(member.value, file: file, path: path, remedy: remedy)
  }
}

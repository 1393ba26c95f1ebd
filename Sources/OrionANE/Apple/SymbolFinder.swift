/// Looks symbols up and remembers which were missing, so that one error names them all.
struct SymbolFinder {
  private let library: ForeignLibrary
  private var missing: [String] = []

  init(_ library: ForeignLibrary) { self.library = library }

  /// A function. When it is missing the value must not be used: `finish` throws.
  mutating func function<F>(_ name: String, _ type: F.Type) -> F {
    unsafeBitCast(address(name), to: type)
  }

  func optionalFunction<F>(_ name: String, _ type: F.Type) -> F? {
    library.symbol(name).map { unsafeBitCast($0, to: type) }
  }

  /// The address of a variable, as the callbacks of a collection are given.
  mutating func address(_ name: String) -> UnsafeMutableRawPointer {
    if let found = library.symbol(name) { return found }
    missing.append(name)
    return Self.placeholder
  }

  /// The object that a variable holds; the first of its names that the library knows counts.
  mutating func constant(_ names: String...) -> UnsafeMutableRawPointer {
    for name in names {
      guard let variable = library.symbol(name) else { continue }
      if let object = variable.load(as: UnsafeMutableRawPointer?.self) { return object }
    }
    missing.append(names.joined(separator: " or "))
    return Self.placeholder
  }

  mutating func note(missing name: String) { missing.append(name) }

  func finish() throws(OrionError) {
    guard !missing.isEmpty else { return }
    throw OrionError(
      .device,
      "\(library.name): missing symbols: \(missing.joined(separator: ", "));"
        + " this version of the system is not known to work")
  }

  private static var placeholder: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: MemoryLayout<Int>.alignment).unsafelyUnwrapped
  }
}

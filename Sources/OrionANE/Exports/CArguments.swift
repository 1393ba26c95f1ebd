#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Checks of the C interface's arguments, and its results. It knows no function's meaning.
enum CArguments {
  /// The value behind an out-parameter, or an error that names it.
  static func required<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String)
    throws(OrionError) -> UnsafeMutablePointer<T>
  {
    guard let pointer else { throw null(name) }
    try check(UInt(bitPattern: pointer), MemoryLayout<T>.alignment, name)
    return pointer
  }

  static func required<T>(_ pointer: UnsafePointer<T>?, _ name: String)
    throws(OrionError) -> UnsafePointer<T>
  {
    guard let pointer else { throw null(name) }
    try check(UInt(bitPattern: pointer), MemoryLayout<T>.alignment, name)
    return pointer
  }

  /// `count` values at `pointer`, which may be null when there are none.
  static func array<T>(_ pointer: UnsafePointer<T>?, count: Int, _ name: String)
    throws(OrionError) -> [T]
  {
    guard count > 0 else { return [] }
    return Array(UnsafeBufferPointer(start: try required(pointer, name), count: count))
  }

  /// UTF-8 text that ends with a null byte.
  static func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(OrionError) -> String {
    let pointer = try required(pointer, name)
    guard let text = String(validatingCString: pointer) else {
      throw OrionError(.argument, "\(name): not UTF-8; text is UTF-8 that ends with a null byte")
    }
    return text
  }

  static func optionalText(_ pointer: UnsafePointer<CChar>?, _ name: String)
    throws(OrionError) -> String?
  {
    guard pointer != nil else { return nil }
    return try text(pointer, name)
  }

  /// Gives a text to the caller, who frees it with `orion_text_free`.
  static func give(
    _ text: String, _ target: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  ) throws(OrionError) {
    guard let copy = strdup(text) else {
      throw OrionError(.internal, "text of \(text.utf8.count) bytes: out of memory")
    }
    target.pointee = copy
  }

  private static func check(_ address: UInt, _ alignment: Int, _ name: String) throws(OrionError) {
    guard address % UInt(alignment) == 0 else {
      throw OrionError(
        .argument,
        "\(name): address 0x\(String(address, radix: 16)), expected a multiple of \(alignment)")
    }
  }

  private static func null(_ name: String) -> OrionError {
    OrionError(.argument, "\(name): null; pass the address of a value")
  }
}

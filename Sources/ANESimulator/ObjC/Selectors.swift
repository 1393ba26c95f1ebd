/// Selectors: one address per name, for the life of the process, as the real runtime gives them.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An address in the simulated process: an object, a class, a selector, a function.
typealias Pointer = UnsafeMutableRawPointer

enum Selectors {
  private struct Names {
    var addresses: [String: UInt] = [:]
    var names: [UInt: String] = [:]
  }
  private static let table = Mutex(Names())

  /// The selector called `name`; a C string stands at its address.
  static func register(_ name: String) -> Pointer {
    let address = table.withLock { table in
      if let known = table.addresses[name] { return known }
      let address = UInt(bitPattern: CString.immortal(name))
      table.addresses[name] = address
      table.names[address] = name
      return address
    }
    return Pointer(bitPattern: address)!
  }

  /// The name of a registered selector, else `nil`.
  static func name(of selector: Pointer?) -> String? {
    guard let selector else { return nil }
    return table.withLock { $0.names[UInt(bitPattern: selector)] }
  }
}

enum CString {
  /// A copy of `text` with a terminating zero that is never freed.
  static func immortal(_ text: String) -> UnsafeMutablePointer<CChar> { strdup(text)! }

  /// The text at `address`, or `nil` for a null pointer or bytes that are no UTF-8.
  static func text(_ address: UnsafePointer<CChar>?) -> String? {
    guard let address else { return nil }
    return String(validatingCString: address)
  }
}

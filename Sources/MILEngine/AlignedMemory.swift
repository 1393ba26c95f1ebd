/// Memory that starts on a cache line, as kernels and packed weights want it.
import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

enum AlignedMemory {
  static let alignment = 64

  /// At least `count` bytes, with room for one more vector.
  static func allocate(_ count: Int) throws(EngineError) -> UnsafeMutableRawPointer {
    guard let address = orion_allocate(count + alignment) else {
      throw .file("no memory for \(count) bytes")
    }
    return address
  }

  #if canImport(Glibc)
    static func free(_ address: UnsafeMutableRawPointer) { Glibc.free(address) }
  #else
    static func free(_ address: UnsafeMutableRawPointer) { Darwin.free(address) }
  #endif
}

/// A stretch of it that frees itself.
final class OwnedMemory: @unchecked Sendable {
  let address: UnsafeMutableRawPointer
  init(_ count: Int) throws(EngineError) { address = try AlignedMemory.allocate(count) }
  deinit { AlignedMemory.free(address) }
}

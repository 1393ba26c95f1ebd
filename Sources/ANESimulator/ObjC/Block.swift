/// A block that was given to a message: copied as the blocks runtime would, called, and let go. Its
/// layout is the public one of the blocks' binary interface.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class Block: @unchecked Sendable {
  private typealias Completion = @convention(c) (Pointer, Bool, Pointer?) -> Void
  private typealias Copy = @convention(c) (Pointer, Pointer) -> Void
  private typealias Dispose = @convention(c) (Pointer) -> Void

  // isa, flags and reserved, invoke, descriptor; of the descriptor: reserved, size, copy, dispose.
  private static let (flagsOffset, invokeOffset, descriptorOffset) = (8, 16, 24)
  private static let (sizeOffset, copyOffset, disposeOffset) = (8, 16, 24)
  private static let hasHelpers: UInt32 = 1 << 25
  private static let isGlobal: UInt32 = 1 << 28

  private let address: Pointer
  private let isOwned: Bool

  /// A copy of the block at `source`; one without captures is used as it is. `nil` for what is none.
  init?(copying source: Pointer) {
    let flags = source.load(fromByteOffset: Block.flagsOffset, as: UInt32.self)
    guard source.load(fromByteOffset: Block.invokeOffset, as: Pointer?.self) != nil,
      let descriptor = source.load(fromByteOffset: Block.descriptorOffset, as: Pointer?.self)
    else { return nil }
    guard flags & Block.isGlobal == 0 else {
      (address, isOwned) = (source, false)
      return
    }
    let size = descriptor.load(fromByteOffset: Block.sizeOffset, as: Int.self)
    guard size >= 32, let copied = malloc(size) else { return nil }
    copied.copyMemory(from: source, byteCount: size)
    if flags & Block.hasHelpers != 0 {
      descriptor.load(fromByteOffset: Block.copyOffset, as: Copy.self)(copied, source)
    }
    (address, isOwned) = (copied, true)
  }

  deinit {
    guard isOwned else { return }
    if address.load(fromByteOffset: Block.flagsOffset, as: UInt32.self) & Block.hasHelpers != 0 {
      let descriptor = address.load(fromByteOffset: Block.descriptorOffset, as: Pointer.self)
      descriptor.load(fromByteOffset: Block.disposeOffset, as: Dispose.self)(address)
    }
    free(address)
  }

  /// Calls a `void (^)(BOOL, NSError *)`.
  func complete(_ isDone: Bool, _ error: Pointer?) {
    address.load(fromByteOffset: Block.invokeOffset, as: Completion.self)(address, isDone, error)
  }
}

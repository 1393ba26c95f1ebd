import CKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Zeroed memory of this process, 64-byte aligned, dense rows.
final class HostStorage: TensorStorage {
  let layout: Layout
  private let memory: Memory
  private let lockFlag = Atomic(false)

  private struct Memory: @unchecked Sendable {
    let address: UnsafeMutableRawPointer
    /// Of memory that came page by page.
    let reserved: Int?
  }

  /// `isSparse`: what is never written to takes no memory.
  init(_ layout: Layout, isSparse: Bool = false) throws(OrionError) {
    self.layout = layout
    let bytes = max(layout.byteCount, 1)
    guard let address = isSparse ? orion_reserve(bytes) : orion_allocate(bytes) else {
      throw OrionError(.device, "tensor \(layout.text): no memory for \(bytes) bytes")
    }
    if !isSparse { memset(address, 0, bytes) }
    memory = Memory(address: address, reserved: isSparse ? bytes : nil)
  }

  deinit {
    if let bytes = memory.reserved {
      orion_give_up(memory.address, bytes)
    } else {
      free(memory.address)
    }
  }

  var isLocked: Bool { lockFlag.load(ordering: .relaxed) }

  /// For the engine; the host goes through `lock`.
  var address: UnsafeMutableRawPointer { memory.address }

  func lock() throws(OrionError) -> UnsafeMutableRawPointer {
    guard lockFlag.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else { throw TensorLock.alreadyLocked(layout) }
    return memory.address
  }

  func unlock() throws(OrionError) {
    guard lockFlag.compareExchange(expected: true, desired: false, ordering: .releasing).exchanged
    else { throw TensorLock.notLocked(layout) }
  }
}

/// Messages for locks that do not nest.
enum TensorLock {
  static func alreadyLocked(_ layout: Layout) -> OrionError {
    OrionError(.argument, "tensor \(layout.text): already locked; unlock it first")
  }
  static func notLocked(_ layout: Layout) -> OrionError {
    OrionError(.argument, "tensor \(layout.text): not locked; lock it before unlocking")
  }
}

/// An IOSurface: memory that the host and the engine share, zeroed, page aligned, locked while the
/// host uses it.

import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class Surface: Instance, @unchecked Sendable {
  override class var kind: String { "an IOSurface" }

  struct Geometry: Equatable {
    var width = 0
    var height = 0
    var bytesPerElement = 1
    var bytesPerRow = 0
    var allocationBytes = 0
  }

  private struct Locks {
    var readers = 0
    var writers = 0
    /// Grows whenever the contents may have changed.
    var seed: UInt32 = 0
  }

  let geometry: Geometry
  let id: UInt32
  let memory: Pointer
  private let mappedBytes: Int
  private let locks = Mutex(Locks())
  private static let nextID = Atomic<UInt32>(1)

  /// `nil` when there is no memory of that size.
  init?(_ geometry: Geometry, world: World?) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let (padded, overflows) = geometry.allocationBytes.addingReportingOverflow(page - 1)
    guard geometry.allocationBytes > 0, !overflows else { return nil }
    mappedBytes = padded / page * page
    #if canImport(Glibc)
      let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    #else
      let flags = MAP_PRIVATE | MAP_ANON
    #endif
    let mapped = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return nil }
    memory = mapped
    self.geometry = geometry
    id = Surface.nextID.wrappingAdd(1, ordering: .relaxed).oldValue
    super.init(isa: FoundationClasses.named("IOSurface"), world: world)
    world?.surfaceBytes.add(geometry.allocationBytes)
  }

  override func dispose() {
    munmap(memory, mappedBytes)
    world?.surfaceBytes.subtract(geometry.allocationBytes)
  }

  var isLocked: Bool { locks.withLock { $0.readers + $0.writers > 0 } }

  /// Returns the seed.
  func lock(readOnly: Bool) -> UInt32 {
    locks.withLock { locks in
      if readOnly { locks.readers += 1 } else { locks.writers += 1 }
      return locks.seed
    }
  }

  /// Returns the seed, or `nil` when no lock of that kind is held.
  func unlock(readOnly: Bool) -> UInt32? {
    locks.withLock { locks in
      guard (readOnly ? locks.readers : locks.writers) > 0 else { return nil }
      if readOnly {
        locks.readers -= 1
      } else {
        locks.writers -= 1
        locks.seed &+= 1
      }
      return locks.seed
    }
  }

  /// The engine wrote into it.
  func touch() { locks.withLock { $0.seed &+= 1 } }
}

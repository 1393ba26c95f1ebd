import COrionANE
import Synchronization

/// Objects behind the C interface's handles: index and generation, so that a stale handle, a null one or
/// one of another kind is refused with a message. It knows no object's meaning.
protocol HandleObject: AnyObject, Sendable {
  /// What messages call it: `device`, `tensor`, `program`, `session`, `sequence`.
  static var handleKind: String { get }
}

extension Device: HandleObject { static var handleKind: String { "device" } }
extension Tensor: HandleObject { static var handleKind: String { "tensor" } }
extension Program: HandleObject { static var handleKind: String { "program" } }

final class HandleTable: Sendable {
  /// The table of the C interface.
  static let shared = HandleTable()

  private struct Slot {
    var generation: UInt32 = 1
    var object: (any HandleObject)?
  }
  private struct State {
    var slots: [Slot] = []
    var free: [Int] = []
  }
  private let state = Mutex(State())

  func insert(_ object: any HandleObject) -> orion_handle {
    state.withLock { state in
      let index: Int
      if let reused = state.free.popLast() {
        index = reused
      } else {
        index = state.slots.count
        state.slots.append(Slot())
      }
      state.slots[index].object = object
      return UInt64(state.slots[index].generation) << 32 | UInt64(UInt32(index + 1))
    }
  }

  func object<T: HandleObject>(_ handle: orion_handle, as type: T.Type) throws(OrionError) -> T {
    let found = state.withLock { state in
      Self.index(handle, in: state).flatMap { state.slots[$0].object }
    }
    return try Self.typed(found, handle, type)
  }

  /// Takes the object out; the handle is stale from now on.
  @discardableResult
  func remove<T: HandleObject>(_ handle: orion_handle, as type: T.Type) throws(OrionError) -> T {
    let found: (any HandleObject)? = state.withLock { state in
      guard let index = Self.index(handle, in: state), let object = state.slots[index].object,
        object is T
      else { return Self.index(handle, in: state).flatMap { state.slots[$0].object } }
      Self.empty(index, &state)
      return object
    }
    return try Self.typed(found, handle, type)
  }

  /// Takes out all objects of a type that `belongs` picks; their handles are stale from now on.
  func removeAll<T: HandleObject>(of type: T.Type, where belongs: (T) -> Bool) {
    // The objects outlive the lock: what ends with them may take it again.
    _ = state.withLock { state in
      state.slots.indices.compactMap { index -> T? in
        guard let object = state.slots[index].object as? T, belongs(object) else { return nil }
        Self.empty(index, &state)
        return object
      }
    }
  }

  private static func empty(_ index: Int, _ state: inout State) {
    state.slots[index].object = nil
    state.slots[index].generation &+= 1
    if state.slots[index].generation == 0 { state.slots[index].generation = 1 }
    state.free.append(index)
  }

  private static func index(_ handle: orion_handle, in state: State) -> Int? {
    let index = Int(handle & 0xffff_ffff) - 1
    guard state.slots.indices.contains(index),
      state.slots[index].generation == UInt32(handle >> 32)
    else { return nil }
    return index
  }

  private static func typed<T: HandleObject>(
    _ object: (any HandleObject)?, _ handle: orion_handle, _ type: T.Type
  ) throws(OrionError) -> T {
    guard handle != 0 else {
      throw OrionError(.handle, "\(T.handleKind) handle: null; create a \(T.handleKind) first")
    }
    guard let object else {
      throw OrionError(
        .handle,
        "\(T.handleKind) handle 0x\(String(handle, radix: 16)): unknown or already freed")
    }
    guard let typed = object as? T else {
      let kind = Swift.type(of: object).handleKind
      throw OrionError(
        .handle,
        "handle 0x\(String(handle, radix: 16)): expected a \(T.handleKind), got a \(kind)")
    }
    return typed
  }
}

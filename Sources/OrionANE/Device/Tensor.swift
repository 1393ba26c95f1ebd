/// Memory the device can read.
public final class Tensor: Sendable {
  let storage: any TensorStorage
  /// The device that made it, and that alone can read it.
  let backend: any Backend

  init(storage: any TensorStorage, backend: any Backend) {
    self.storage = storage
    self.backend = backend
  }

  /// How its elements lie.
  public var layout: Layout { storage.layout }

  /// The host reads and writes inside `body`, at `layout.strides`.
  public func withBytes<R>(_ body: (UnsafeMutableRawPointer) throws(OrionError) -> R)
    throws(OrionError) -> R
  {
    let address = try storage.lock()
    do {
      let result = try body(address)
      try storage.unlock()
      return result
    } catch {
      try? storage.unlock()
      throw error
    }
  }
}

import ANEProfiles
import Synchronization

/// Gives the surfaces of a request the sizes that the device wants. It knows no program.
final class SurfaceFitting: Sendable {
  /// All surfaces of a side have one size; else each keeps its own.
  private let isEqual: Bool
  private let byteCountMin: Int
  /// Held from fitting until the surfaces are taken, so that no other request changes one between.
  private let order = Mutex(())

  init(_ conduct: Conduct) {
    isEqual = conduct.surfaceSize == .equal
    byteCountMin = conduct.surfaceBytesMin
  }

  /// What stands for the tensors of each side in a request.
  func fit(inputs: [SurfaceStorage], outputs: [SurfaceStorage])
    throws(OrionError) -> (inputs: [ForeignObject], outputs: [ForeignObject])
  {
    guard isEqual || byteCountMin > 0 else {
      return (inputs.map(\.current.object), outputs.map(\.current.object))
    }
    let fitted: Result<(inputs: [ForeignObject], outputs: [ForeignObject]), OrionError> =
      order.withLock { _ in
        do throws(OrionError) {
          for side in [inputs, outputs] { try pad(side) }
          return .success((inputs.map(\.current.object), outputs.map(\.current.object)))
        } catch {
          return .failure(error)
        }
      }
    return try fitted.get()
  }

  private func pad(_ side: [SurfaceStorage]) throws(OrionError) {
    let largest = side.map(\.current.byteCount).max() ?? 0
    for storage in side {
      let own = isEqual ? largest : storage.current.byteCount
      try storage.grow(to: max(own, byteCountMin))
    }
  }
}

/// What a plan asks of a constant: which content, in which form it wants it in memory.
import CKernels

struct ConstantRequest: Sendable, Hashable {
  enum Form: Sendable, Hashable {
    /// One 4-byte word for each element: fp32 for floats, int32 for all else.
    case dense
    /// Panels for `orion_linear`. Weight (o, k) is element first + o * outputStride + k * innerStride.
    case panels(
      isHalf: Bool, outputs: Int, inner: Int, first: Int, outputStride: Int, innerStride: Int)
  }

  let type: TensorType
  let source: ConstantSource
  let form: Form
  /// Floats are rounded to fp16 first.
  let roundsToHalf: Bool

  /// The content stands in the text, so that no file is needed for it.
  var isInText: Bool {
    if case .blob = source { return false }
    return true
  }

  /// Bytes of the form.
  var byteCount: Int {
    switch form {
    case .dense: type.elementCount * 4
    case .panels(let isHalf, let outputs, let inner, _, _, _):
      orion_packed_bytes(isHalf ? ORION_PACKED_F16 : ORION_PACKED_F32, outputs, inner)
    }
  }

  /// Says everything but the content; equal requests have equal descriptions.
  var description: String {
    let place =
      switch source {
      case .blob(let path, let offset): "\(path)@\(offset)"
      default: "text"
      }
    let shape =
      switch form {
      case .dense: "dense"
      case .panels(let isHalf, let outputs, let inner, let first, let outer, let step):
        "panels \(isHalf ? "f16" : "f32") \(outputs) \(inner) \(first) \(outer) \(step)"
      }
    return "\(place) \(type.text) \(shape)\(roundsToHalf ? " rounded" : "")"
  }

  /// Bytes that the content needs.
  var contentByteCount: Int { (type.elementCount * (type.dtype.bitWidth ?? 0) + 7) / 8 }

  /// Writes the form of `content`, at least `contentByteCount` bytes, to 64-byte aligned memory.
  func write(_ content: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) {
    switch form {
    case .dense: writeDense(content, to: target)
    case .panels(let isHalf, let outputs, let inner, let first, let outputStride, let innerStride):
      let kind = isHalf ? ORION_PACKED_F16 : ORION_PACKED_F32
      let isRowMajor = innerStride == 1 && outputStride == inner && first == 0
      if isRowMajor, type.dtype == .fp16 || (type.dtype == .fp32 && !roundsToHalf) {
        orion_pack(kind, content.baseAddress, type.dtype == .fp16, outputs, inner, target)
        return
      }
      // Any other order or type passes through fp32 rows.
      let values = UnsafeMutablePointer<Float>.allocate(capacity: max(type.elementCount, 1))
      let rows = UnsafeMutablePointer<Float>.allocate(capacity: max(outputs * inner, 1))
      defer {
        values.deallocate()
        rows.deallocate()
      }
      writeDense(content, to: values)
      for output in 0..<outputs {
        let source = values + first + output * outputStride
        for index in 0..<inner { rows[output * inner + index] = source[index * innerStride] }
      }
      orion_pack(kind, rows, false, outputs, inner, target)
    }
  }

  private func writeDense(
    _ content: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer
  ) {
    let count = type.elementCount
    guard count > 0, let base = content.baseAddress else { return }
    let floats = target.assumingMemoryBound(to: Float.self)
    switch type.dtype {
    case .fp16: orion_f16_to_f32(base.assumingMemoryBound(to: UInt16.self), floats, count)
    case .bf16: orion_bf16_to_f32(base.assumingMemoryBound(to: UInt16.self), floats, count)
    case .fp32: target.copyMemory(from: base, byteCount: 4 * count)
    default:
      let words = target.assumingMemoryBound(to: UInt32.self)
      let numbers = ConstantValue(type: type, bytes: content)?.numbers ?? []
      for (index, number) in numbers.enumerated() {
        words[index] =
          type.dtype == .fp64
          ? Float(number).bitPattern
          : UInt32(truncatingIfNeeded: Int64(exactly: number) ?? 0)
      }
    }
    if roundsToHalf, type.dtype.isFloat { orion_round_f16(floats, floats, count) }
  }
}

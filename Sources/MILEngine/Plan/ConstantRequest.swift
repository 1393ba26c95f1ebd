/// What a plan asks of a constant: which content, in which form it wants it in memory.
import CKernels

struct ConstantRequest: Sendable, Hashable {
  enum Form: Sendable, Hashable {
    /// One 4-byte word for each element: fp32 for floats, int32 for all else.
    case dense
    case panels(Panels)
  }

  /// Panels for `orion_linear`. Weight (o, k) is element first + o * outputStride + k * innerStride.
  struct Panels: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable {
      case f32, f16, i8
    }
    let kind: Kind
    let outputs: Int
    let inner: Int
    let first: Int
    let outputStride: Int
    let innerStride: Int

    var isRowMajor: Bool { innerStride == 1 && outputStride == inner }
    var byteCount: Int { orion_packed_bytes(kind.packed, outputs, inner) }
  }

  let content: ConstantContent
  let form: Form

  /// The content stands in the text, so that no file is needed for it.
  var isInText: Bool { content.isInText }

  /// Bytes of the form.
  var byteCount: Int {
    switch form {
    case .dense: content.type.elementCount * 4
    case .panels(let panels): panels.byteCount
    }
  }

  /// Says everything but what the text holds; equal requests of files have equal descriptions.
  var description: String {
    switch form {
    case .dense: "dense \(content.description)"
    case .panels(let panels):
      "panels \(panels.kind.rawValue) \(panels.outputs) \(panels.inner) \(panels.first)"
        + " \(panels.outputStride) \(panels.innerStride) \(content.description)"
    }
  }

  /// Writes the form of the content, whose parts are `bytes`, to 64-byte aligned memory.
  func write(_ bytes: [UnsafeRawBufferPointer], to target: UnsafeMutableRawPointer) {
    if case .composed(let recipe) = content.rule {
      return write(recipe.elements(content.parts, bytes), to: target)
    }
    switch form {
    case .dense: writeDense(bytes, to: target)
    case .panels(let panels) where panels.kind == .i8: writeBytes(panels, bytes, to: target)
    case .panels(let panels): writePanels(panels, bytes, to: target)
    }
  }

  /// Writes the form of elements that were made already.
  private func write(_ elements: [Float], to target: UnsafeMutableRawPointer) {
    guard elements.count == content.type.elementCount else { return }
    guard content.type.dtype.isFloat else {
      let words = target.assumingMemoryBound(to: UInt32.self)
      for (index, element) in elements.enumerated() {
        words[index] = Words.word(Words.integer(Double(element)))
      }
      return
    }
    var stored = ConstantContent(
      type: TensorType(.fp32, content.type.shape), source: .bytes([]),
      roundsToHalf: content.roundsToHalf)
    stored.hidesNaN = content.hidesNaN
    elements.withUnsafeBytes { bytes in
      ConstantRequest(content: stored, form: form).write([bytes], to: target)
    }
  }

  private func writeDense(_ bytes: [UnsafeRawBufferPointer], to target: UnsafeMutableRawPointer) {
    let count = content.type.elementCount
    guard count > 0 else { return }
    if content.type.dtype.isFloat {
      content.write(0, count, of: bytes, to: target.assumingMemoryBound(to: Float.self))
      return
    }
    let words = target.assumingMemoryBound(to: UInt32.self)
    guard content.rule == .stored else {
      // Tables of whole numbers; fp32 holds all that a byte does.
      let floats = UnsafeMutablePointer<Float>.allocate(capacity: count)
      defer { floats.deallocate() }
      content.write(0, count, of: bytes, to: floats)
      for index in 0..<count { words[index] = Words.word(Words.integer(Double(floats[index]))) }
      return
    }
    let numbers = ConstantValue(type: content.type, bytes: bytes[0])?.numbers ?? []
    for (index, number) in numbers.enumerated() {
      words[index] = UInt32(truncatingIfNeeded: Int64(exactly: number) ?? 0)
    }
  }

  /// Outputs that are packed at once; their panels end at a multiple of 64 bytes.
  private static let outputsAtOnce = 256

  private func writePanels(
    _ panels: Panels, _ bytes: [UnsafeRawBufferPointer], to target: UnsafeMutableRawPointer
  ) {
    let (kind, inner) = (panels.kind.packed, panels.inner)
    let stored = content.parts[0].type.dtype
    if panels.isRowMajor, content.isStored, stored == .fp16 || stored == .fp32 {
      let source = bytes[0].baseAddress.map { $0 + panels.first * (stored == .fp16 ? 2 : 4) }
      orion_pack(kind, source, stored == .fp16, panels.outputs, inner, target)
      return
    }
    let most = max(1, min(Self.outputsAtOnce, panels.outputs))
    let rows = UnsafeMutablePointer<Float>.allocate(capacity: max(most * inner, 1))
    let line = UnsafeMutablePointer<Float>.allocate(capacity: max(most, inner, 1))
    defer {
      rows.deallocate()
      line.deallocate()
    }
    for output in stride(from: 0, to: panels.outputs, by: most) {
      let outputs = min(most, panels.outputs - output)
      gather(panels, output, outputs, bytes, rows: rows, line: line)
      let place = orion_packed_bytes(kind, output, inner)
      orion_pack(kind, rows, false, outputs, inner, target + place)
    }
  }

  /// The weights of some outputs, one row each.
  private func gather(
    _ panels: Panels, _ output: Int, _ outputs: Int, _ bytes: [UnsafeRawBufferPointer],
    rows: UnsafeMutablePointer<Float>, line: UnsafeMutablePointer<Float>
  ) {
    let inner = panels.inner
    let first = panels.first + output * panels.outputStride
    if panels.isRowMajor {
      content.write(first, outputs * inner, of: bytes, to: rows)
    } else if panels.outputStride == 1 {
      for index in 0..<inner {
        content.write(first + index * panels.innerStride, outputs, of: bytes, to: line)
        for row in 0..<outputs { rows[row * inner + index] = line[row] }
      }
    } else {
      for row in 0..<outputs {
        for index in 0..<inner {
          let place = first + row * panels.outputStride + index * panels.innerStride
          content.write(place, 1, of: bytes, to: rows + row * inner + index)
        }
      }
    }
  }

  /// The data minus its offset, which fits a byte, and each output's scale.
  private func writeBytes(
    _ panels: Panels, _ bytes: [UnsafeRawBufferPointer], to target: UnsafeMutableRawPointer
  ) {
    guard case .scaled(let scaleShape, let offsetShape) = content.rule,
      let data = ConstantContent.Reader(content.parts[0], bytes[0]),
      let scale = ConstantContent.Reader(content.parts[1], bytes[1])
    else { return }
    let shape = content.parts[0].type.shape
    let blocks = BlockIndex(shape: shape, blocks: scaleShape)
    let scales = (0..<panels.outputs).map {
      scale.float(blocks.of(panels.first + $0 * panels.outputStride))
    }
    guard content.parts[0].type.dtype != .int8 || offsetShape != nil else {
      let source = data.base.assumingMemoryBound(to: Int8.self) + panels.first
      orion_pack_i8(
        source, panels.outputStride, panels.innerStride, scales, panels.outputs, panels.inner,
        target)
      return
    }
    var shift: (ConstantContent.Reader, BlockIndex)?
    if let offsetShape, let reader = ConstantContent.Reader(content.parts[2], bytes[2]) {
      shift = (reader, BlockIndex(shape: shape, blocks: offsetShape))
    }
    let rows = UnsafeMutablePointer<Int8>.allocate(
      capacity: max(panels.outputs * panels.inner, 1))
    defer { rows.deallocate() }
    for output in 0..<panels.outputs {
      for index in 0..<panels.inner {
        let place = panels.first + output * panels.outputStride + index * panels.innerStride
        let offset = shift.map { Int($0.0.float($0.1.of(place))) } ?? 0
        rows[output * panels.inner + index] = Int8(clamping: data.integer(place) - offset)
      }
    }
    orion_pack_i8(rows, panels.inner, 1, scales, panels.outputs, panels.inner, target)
  }
}

extension ConstantRequest.Panels.Kind {
  var packed: orion_packed_kind {
    switch self {
    case .f32: ORION_PACKED_F32
    case .f16: ORION_PACKED_F16
    case .i8: ORION_PACKED_I8
    }
  }
}

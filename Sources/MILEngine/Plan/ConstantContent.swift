/// The elements of a constant before they take a form in memory: as they are stored, or worked out from
/// stored parts by a rule. It knows no layout.
import CKernels

struct ConstantContent: Sendable, Hashable {
  /// A stored tensor.
  struct Part: Sendable, Hashable {
    let type: TensorType
    let source: ConstantSource

    /// Bytes of its elements.
    var byteCount: Int { (type.elementCount * (type.dtype.bitWidth ?? 0) + 7) / 8 }
  }

  /// How the elements come from the parts.
  enum Rule: Sendable, Hashable {
    /// The only part as it is.
    case stored
    /// (data - offset) * scale. Parts: data, scale, and offset if there is one. Each element of a
    /// scale or offset serves a block of the data; their shapes have the data's rank.
    case scaled(scale: [Int], offset: [Int]?)
    /// Parts: indices of `bits` each, and for each block a table of 2^bits entries; `blocks` has the
    /// rank of `shape`, the shape of the indices.
    case lookedUp(bits: Int, shape: [Int], blocks: [Int])
    /// In several steps.
    case composed(ConstantRecipe)
  }

  /// The type of the whole; its shape may group the elements otherwise than the parts' does.
  var type: TensorType
  let rule: Rule
  let parts: [Part]
  /// Floats are rounded to fp16.
  var roundsToHalf: Bool
  /// A NaN is +inf, as it is when it comes in from outside.
  var hidesNaN = false

  init(type: TensorType, source: ConstantSource, roundsToHalf: Bool) {
    self.type = type
    rule = .stored
    parts = [Part(type: type, source: source)]
    self.roundsToHalf = roundsToHalf
  }

  init(type: TensorType, rule: Rule, parts: [Part], roundsToHalf: Bool) {
    self.type = type
    self.rule = rule
    self.parts = parts
    self.roundsToHalf = roundsToHalf
  }

  /// Everything stands in the text, so that no file is needed.
  var isInText: Bool {
    parts.allSatisfy {
      if case .blob = $0.source { return false }
      return true
    }
  }

  /// Every element is a number that fp16 holds.
  var isHalf: Bool { roundsToHalf || (rule == .stored && parts[0].type.dtype == .fp16) }

  /// The elements are those of the only part, bit for bit.
  var isStored: Bool {
    rule == .stored && !hidesNaN && (!roundsToHalf || parts[0].type.dtype == .fp16)
  }

  /// Says everything but what the text holds; equal contents of files have equal descriptions.
  var description: String {
    let places = parts.map { part in
      switch part.source {
      case .blob(let path, let offset): "\(path)@\(offset) \(part.type.text)"
      default: "text \(part.type.text)"
      }
    }
    let name =
      switch rule {
      case .stored: "stored"
      case .scaled(let scale, let offset): "scaled \(scale.text) \(offset?.text ?? "-")"
      case .lookedUp(let bits, let shape, let blocks):
        "looked up \(bits) \(shape.text) \(blocks.text)"
      case .composed(let recipe): "\(recipe)"
      }
    return "\(name) (\(places.joined(separator: ", "))) \(type.text)"
      + (roundsToHalf ? " rounded" : "") + (hidesNaN ? " without NaN" : "")
  }
}

// MARK: elements

extension ConstantContent {
  /// Element-by-element access to one part.
  struct Reader {
    let base: UnsafeRawPointer
    let dtype: DType
    let bits: Int

    /// `bytes` hold the part; `bits` is the width of an element unless the type says it.
    init?(_ part: Part, _ bytes: UnsafeRawBufferPointer, bits: Int? = nil) {
      guard let base = bytes.baseAddress, bytes.count >= part.byteCount,
        let width = bits ?? part.type.dtype.bitWidth
      else { return nil }
      self.base = base
      dtype = part.type.dtype
      self.bits = width
    }

    /// The low `bits` bits of an element narrower than a byte.
    private func packed(_ index: Int) -> Int {
      let first = index * bits
      let low = Int(base.load(fromByteOffset: first / 8, as: UInt8.self))
      let next = first % 8 + bits > 8 ? first / 8 + 1 : first / 8
      let high = Int(base.load(fromByteOffset: next, as: UInt8.self))
      return (low | high << 8) >> (first % 8) & (1 << bits - 1)
    }

    /// An element of a type narrower than 32 bits.
    func integer(_ index: Int) -> Int {
      switch (bits, dtype) {
      case (8, .int8): return Int(base.load(fromByteOffset: index, as: Int8.self))
      case (8, _): return Int(base.load(fromByteOffset: index, as: UInt8.self))
      case (4, .int4): return (packed(index) ^ 8) - 8
      default: return packed(index)
      }
    }

    func float(_ index: Int) -> Float {
      switch dtype {
      case .fp32: return base.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      case .fp16:
        let half = base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
        return Float(HalfFloat.number(bits: half))
      case .int32: return Float(base.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
      default: return Float(integer(index))
      }
    }
  }

  /// Writes the elements from `first` on as fp32; `false` when the bytes are too few.
  @discardableResult
  func write(
    _ first: Int, _ count: Int, of bytes: [UnsafeRawBufferPointer],
    to target: UnsafeMutablePointer<Float>
  ) -> Bool {
    guard bytes.count == parts.count, count > 0 else { return count == 0 }
    switch rule {
    case .stored:
      guard writeStored(first, count, bytes[0], target) else { return false }
    case .scaled(let scale, let offset):
      guard writeScaled(first, count, bytes, scale, offset, target) else { return false }
    case .lookedUp(let bits, let shape, let blocks):
      guard let indices = Reader(parts[0], bytes[0], bits: bits),
        let table = Reader(parts[1], bytes[1])
      else { return false }
      let block = BlockIndex(shape: shape, blocks: blocks)
      for index in 0..<count {
        let entry = block.of(first + index) << bits + indices.integer(first + index)
        target[index] = table.float(entry)
      }
    case .composed(let recipe):
      let elements = recipe.elements(parts, bytes)
      for index in 0..<count where first + index < elements.count {
        target[index] = elements[first + index]
      }
    }
    if roundsToHalf { orion_round_f16(target, target, count) }
    if hidesNaN {
      for index in 0..<count where target[index].isNaN { target[index] = .infinity }
    }
    return true
  }

  private func writeStored(
    _ first: Int, _ count: Int, _ bytes: UnsafeRawBufferPointer,
    _ target: UnsafeMutablePointer<Float>
  ) -> Bool {
    let part = parts[0]
    guard let base = bytes.baseAddress, bytes.count >= part.byteCount else { return false }
    switch part.type.dtype {
    case .fp16:
      orion_f16_to_f32(base.assumingMemoryBound(to: UInt16.self) + first, target, count)
    case .bf16:
      orion_bf16_to_f32(base.assumingMemoryBound(to: UInt16.self) + first, target, count)
    case .fp32:
      UnsafeMutableRawPointer(target).copyMemory(from: base + 4 * first, byteCount: 4 * count)
    default:
      guard let numbers = ConstantValue(type: part.type, bytes: bytes)?.numbers else {
        return false
      }
      for index in 0..<count { target[index] = Float(numbers[first + index]) }
    }
    return true
  }

  private func writeScaled(
    _ first: Int, _ count: Int, _ bytes: [UnsafeRawBufferPointer], _ scaleShape: [Int],
    _ offsetShape: [Int]?, _ target: UnsafeMutablePointer<Float>
  ) -> Bool {
    guard let data = Reader(parts[0], bytes[0]), let scale = Reader(parts[1], bytes[1]) else {
      return false
    }
    let shape = parts[0].type.shape
    let scales = BlockIndex(shape: shape, blocks: scaleShape)
    var offset: (reader: Reader, blocks: BlockIndex)?
    if let offsetShape {
      guard let reader = Reader(parts[2], bytes[2]) else { return false }
      offset = (reader, BlockIndex(shape: shape, blocks: offsetShape))
    }
    let run = min(scales.run, offset?.blocks.run ?? .max)
    var index = 0
    while index < count {
      let place = first + index
      let length = min(run - place % run, count - index)
      let factor = scale.float(scales.of(place))
      let shift = offset.map { $0.reader.float($0.blocks.of(place)) } ?? 0
      for step in 0..<length {
        target[index + step] = (data.float(place + step) - shift) * factor
      }
      index += length
    }
    return true
  }
}

/// Finds the block that an element of a tensor lies in.
struct BlockIndex {
  /// Neighbours along the flat order that surely share a block start at its multiples.
  let run: Int
  /// For each axis that is cut: the elements of one step along it, its size, a block's size, and
  /// the blocks after it.
  private let axes: [(stride: Int, size: Int, block: Int, step: Int)]

  /// `blocks` says how many blocks each axis of `shape` is cut into, and divides it.
  init(shape: [Int], blocks: [Int]) {
    let (strides, steps) = (Shape.strides(shape), Shape.strides(blocks))
    axes = shape.indices.filter { blocks[$0] > 1 }.map {
      (strides[$0], shape[$0], shape[$0] / blocks[$0], steps[$0])
    }
    run = axes.last.map { $0.stride * $0.block } ?? .max
  }

  func of(_ element: Int) -> Int {
    axes.reduce(0) { $0 + element / $1.stride % $1.size / $1.block * $1.step }
  }

  /// Whether the element (o, k) at `first + o * outputStride + k * innerStride` lies in a block that
  /// o alone decides, for k below `inner`.
  func depends(
    onlyOnOutputs outputStride: Int, inner: Int, innerStride: Int, first: Int
  ) -> Bool {
    axes.allSatisfy { axis in
      if innerStride == 1 {
        return first % inner == 0 && outputStride % inner == 0
          && (axis.stride * axis.block) % inner == 0
      }
      return first == 0 && innerStride % (axis.stride * axis.size) == 0
    }
  }
}

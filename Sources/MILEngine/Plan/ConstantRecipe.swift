/// Constants that are worked out in several steps from stored parts: sparse weights, vectors out of
/// tables, and compressed forms within each other. All elements are made at once.
import CKernels

indirect enum ConstantRecipe: Sendable, Hashable {
  /// A stored tensor; `bits` is the width of an element where the type does not say it.
  case part(Int, bits: Int?)
  case rounded(ConstantRecipe)
  /// (data - offset) * scale; a scale and an offset serve a block of the data.
  case scaled(
    data: ConstantRecipe, scale: ConstantRecipe, offset: ConstantRecipe?, shape: [Int],
    scaleShape: [Int], offsetShape: [Int])
  case lookedUp(indices: ConstantRecipe, table: ConstantRecipe, shape: LookUp)
  /// The values in order where the mask is not 0, else 0.
  case spread(values: ConstantRecipe, mask: ConstantRecipe)
  /// The elements in order where the mask is not 0.
  case kept(dense: ConstantRecipe, mask: ConstantRecipe)
  /// Every element `count` times along an axis.
  case repeated(ConstantRecipe, shape: [Int], axis: Int, count: Int)

  struct LookUp: Sendable, Hashable {
    /// Of an index.
    let bits: Int
    /// Of the indices.
    let shape: [Int]
    /// Tables along each axis of the indices.
    let blocks: [Int]
    /// An entry has so many numbers, which lie along `axis` of the result.
    let count: Int
    let axis: Int
  }
}

extension ConstantRecipe {
  /// All elements; none when the bytes of a part are too few.
  func elements(_ parts: [ConstantContent.Part], _ bytes: [UnsafeRawBufferPointer]) -> [Float] {
    func made(_ recipe: ConstantRecipe) -> [Float] { recipe.elements(parts, bytes) }
    switch self {
    case .part(let index, let bits):
      let part = parts[index]
      guard let reader = ConstantContent.Reader(part, bytes[index], bits: bits) else { return [] }
      let width = part.type.dtype.bitWidth ?? 8
      let count = bits.map { part.type.elementCount * width / $0 } ?? part.type.elementCount
      return (0..<count).map { reader.float($0) }
    case .rounded(let inner):
      var values = made(inner)
      values.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        orion_round_f16(base, base, buffer.count)
      }
      return values
    case .scaled(let data, let scale, let offset, let shape, let scaleShape, let offsetShape):
      let (data, scale, offset) = (made(data), made(scale), offset.map(made))
      let scales = BlockIndex(shape: shape, blocks: scaleShape)
      let offsets = BlockIndex(shape: shape, blocks: offsetShape)
      return data.indices.map { index in
        let shift = offset.map { $0.element(offsets.of(index)) } ?? 0
        return (data[index] - shift) * scale.element(scales.of(index))
      }
    case .lookedUp(let indices, let table, let shape):
      return Self.entries(made(indices), made(table), shape)
    case .spread(let values, let mask):
      let values = made(values)
      var next = 0
      return made(mask).map { flag in
        guard flag != 0 else { return 0 }
        next += 1
        return values.element(next - 1)
      }
    case .kept(let dense, let mask):
      return zip(made(dense), made(mask)).filter { $0.1 != 0 }.map(\.0)
    case .repeated(let inner, let shape, let axis, let count):
      let values = made(inner)
      let below = shape[(axis + 1)...].reduce(1, *)
      return (0..<(values.count * count)).map { index in
        values[index / (below * count) * below + index % below]
      }
    }
  }

  private static func entries(_ indices: [Float], _ table: [Float], _ shape: LookUp) -> [Float] {
    let blocks = BlockIndex(shape: shape.shape, blocks: shape.blocks)
    let below = shape.shape[(shape.axis + 1)...].reduce(1, *)
    let total = shape.shape.reduce(shape.count, *)
    return (0..<total).map { index in
      let lane = index / below % shape.count
      let place = index / (below * shape.count) * below + index % below
      let entry = blocks.of(place) << shape.bits + Int(indices.element(place))
      return table.element(entry * shape.count + lane)
    }
  }
}

extension [Float] {
  /// 0 beyond the end, where parts do not fit each other.
  fileprivate func element(_ index: Int) -> Float { indices.contains(index) ? self[index] : 0 }
}

/// Puts the contents of constants together, with the parts of all in one list.
struct RecipeParts {
  private(set) var parts: [ConstantContent.Part] = []

  mutating func add(_ content: ConstantContent, bits: Int? = nil) -> ConstantRecipe {
    let first = parts.count
    parts += content.parts
    func part(_ index: Int, _ bits: Int? = nil) -> ConstantRecipe {
      .part(first + index, bits: bits)
    }
    let recipe: ConstantRecipe
    switch content.rule {
    case .stored: recipe = part(0, bits)
    case .scaled(let scale, let offset):
      recipe = .scaled(
        data: part(0), scale: part(1), offset: offset.map { _ in part(2) },
        shape: content.parts[0].type.shape, scaleShape: scale, offsetShape: offset ?? scale)
    case .lookedUp(let bits, let shape, let blocks):
      recipe = .lookedUp(
        indices: part(0, bits), table: part(1),
        shape: ConstantRecipe.LookUp(bits: bits, shape: shape, blocks: blocks, count: 1, axis: 0))
    case .composed(let inner): recipe = inner.moved(by: first)
    }
    return content.roundsToHalf ? .rounded(recipe) : recipe
  }
}

extension ConstantRecipe {
  /// The same with parts that stand further back in the list.
  fileprivate func moved(by first: Int) -> ConstantRecipe {
    switch self {
    case .part(let index, let bits): .part(index + first, bits: bits)
    case .rounded(let inner): .rounded(inner.moved(by: first))
    case .scaled(let data, let scale, let offset, let shape, let scales, let offsets):
      .scaled(
        data: data.moved(by: first), scale: scale.moved(by: first),
        offset: offset?.moved(by: first), shape: shape, scaleShape: scales, offsetShape: offsets)
    case .lookedUp(let indices, let table, let shape):
      .lookedUp(indices: indices.moved(by: first), table: table.moved(by: first), shape: shape)
    case .spread(let values, let mask):
      .spread(values: values.moved(by: first), mask: mask.moved(by: first))
    case .kept(let dense, let mask):
      .kept(dense: dense.moved(by: first), mask: mask.moved(by: first))
    case .repeated(let inner, let shape, let axis, let count):
      .repeated(inner.moved(by: first), shape: shape, axis: axis, count: count)
    }
  }
}

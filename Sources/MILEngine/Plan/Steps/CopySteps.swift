/// Steps that move or fill elements and compute nothing.
import CKernels

/// Dense target = strided source.
struct GatherStep: Step {
  private let windows: Windows
  var reads: [Int] { [windows.strided.buffer] }
  var writes: [Int] { [windows.dense.buffer] }
  var label: String { "gather \(windows.text)" }

  init(source: View, target: Place) { windows = Windows(strided: source, dense: target) }

  func run(_ frame: Frame) {
    windows.forEach(frame) { strided, dense, shape, strides in
      if strides.allSatisfy({ $0 >= 0 }) {
        orion_gather_copy(strided, dense, shape.count, shape, strides)
      } else {
        Windows.copyWords(strided, dense, shape, strides)
      }
    }
  }
}

/// Strided target = dense source.
struct ScatterStep: Step {
  private let windows: Windows
  var reads: [Int] { [windows.dense.buffer] }
  var writes: [Int] { [windows.strided.buffer] }
  var label: String { "scatter \(windows.text)" }

  init(source: Place, target: View) { windows = Windows(strided: target, dense: source) }

  func run(_ frame: Frame) {
    windows.forEach(frame) { strided, dense, shape, strides in
      orion_scatter_copy(dense, strided, shape.count, shape, strides)
    }
  }
}

/// A strided window beside dense memory of its size, cut into pieces the kernels can take.
private struct Windows: Sendable {
  let strided: Place
  let dense: Place
  private let shape: [Int]
  private let strides: [Int]
  /// For each piece the places of its first element on both sides.
  private let pieces: [(strided: Int, dense: Int)]

  init(strided view: View, dense: Place) {
    let joined = JoinedAxes(
      shape: view.shape, strides: [view.strides, Shape.strides(view.shape)])
    strided = view.place
    self.dense = dense
    let outer = max(0, joined.shape.count - Int(ORION_CHAIN_AXES))
    shape = Array(joined.shape[outer...])
    strides = Array(joined.strides[0][outer...])
    var pieces = [(strided: 0, dense: 0)]
    for axis in 0..<outer {
      pieces = pieces.flatMap { piece in
        (0..<joined.shape[axis]).map {
          (piece.strided + $0 * joined.strides[0][axis], piece.dense + $0 * joined.strides[1][axis])
        }
      }
    }
    self.pieces = pieces
  }

  var text: String { "\(shape) at \(strides)" }

  func forEach(
    _ frame: Frame,
    _ body: (UnsafeMutableRawPointer, UnsafeMutableRawPointer, [Int], [Int]) -> Void
  ) {
    let (first, second) = (frame.address(strided), frame.address(dense))
    for piece in pieces {
      body(first + 4 * piece.strided, second + 4 * piece.dense, shape, strides)
    }
  }

  /// A copy for windows that run backwards, which the kernels do not take.
  static func copyWords(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ shape: [Int],
    _ strides: [Int]
  ) {
    var index = 0
    forEachOffset(shape, strides) { offset in
      let word = source.loadUnaligned(fromByteOffset: 4 * offset, as: UInt32.self)
      target.storeBytes(of: word, toByteOffset: 4 * index, as: UInt32.self)
      index += 1
    }
  }
}

/// Visits the element offsets of a window in row-major order.
func forEachOffset<Sizes: Collection, Strides: Collection>(
  _ shape: Sizes, _ strides: Strides, _ body: (Int) -> Void
)
where Sizes.Element == Int, Sizes.Index == Int, Strides.Element == Int, Strides.Index == Int {
  func visit(_ axis: Int, _ offset: Int) {
    guard axis < shape.count else { return body(offset) }
    for index in 0..<shape[axis] { visit(axis + 1, offset + index * strides[axis]) }
  }
  visit(0, 0)
}

/// Every element of a stretch becomes one word.
struct FillStep: Step {
  let target: Place
  let count: Int
  let word: UInt32
  var reads: [Int] { [] }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) { frame.words(target).update(repeating: word, count: count) }
}

/// Slices of a [outer][count][inner] tensor, chosen by indices that are known before the run or by
/// a value. An index outside of the axis gives zeros.
struct TakeStep: Step {
  enum Indices: Sendable {
    case fixed([Int])
    case value(Place, count: Int)
  }
  let source: Place
  let indices: Indices
  let target: Place
  let outer: Int
  let count: Int
  let inner: Int
  /// How indices of a value are read.
  var check: IndexCheck?

  var reads: [Int] {
    if case .value(let place, _) = indices { return [source.buffer, place.buffer] }
    return [source.buffer]
  }
  var writes: [Int] { [target.buffer] }

  func run(_ frame: Frame) {
    let source = frame.words(source)
    let target = frame.words(target)
    let taken =
      switch indices {
      case .fixed(let list): list.count
      case .value(_, let count): count
      }
    for index in 0..<taken {
      let place: Int? =
        switch indices {
        case .fixed(let list): list[index]
        case .value(let place, _): check?.place(frame.words(place)[index], in: count, frame)
        }
      for block in 0..<outer {
        let slot = target + (block * taken + index) * inner
        if let place {
          slot.update(from: source + (block * count + place) * inner, count: inner)
        } else {
          slot.update(repeating: 0, count: inner)
        }
      }
    }
  }
}

/// Any map of up to three words to one, element by element: integers, truth values, casts, choices.
/// For what the chain kernel does not know; not made for speed.
struct ElementStep: Step {
  typealias Body = @Sendable (UInt32, UInt32, UInt32) -> UInt32

  private let axes: JoinedAxes
  private let operands: [Place]
  private let target: Place
  private let body: Body
  let reads: [Int]
  let writes: [Int]

  /// `operands` are one to three windows of `shape`.
  init(shape: [Int], operands: [View], target: Place, body: @escaping Body) {
    var windows = operands
    while windows.count < 3 { windows.append(windows[0]) }
    axes = JoinedAxes(shape: shape, strides: windows.map(\.strides))
    self.operands = windows.map(\.place)
    self.target = target
    self.body = body
    reads = operands.map(\.buffer)
    writes = [target.buffer]
  }

  func run(_ frame: Frame) {
    let (a, b, c) = (
      frame.words(operands[0]), frame.words(operands[1]), frame.words(operands[2])
    )
    var target = frame.words(target)
    let last = axes.shape.count - 1
    let (aStep, bStep, cStep) = (
      axes.strides[0][last], axes.strides[1][last], axes.strides[2][last]
    )
    func visit(_ axis: Int, _ x: Int, _ y: Int, _ z: Int) {
      guard axis < last else {
        for index in 0..<axes.shape[last] {
          target.pointee = body(a[x + index * aStep], b[y + index * bStep], c[z + index * cStep])
          target += 1
        }
        return
      }
      for index in 0..<axes.shape[axis] {
        visit(
          axis + 1, x + index * axes.strides[0][axis], y + index * axes.strides[1][axis],
          z + index * axes.strides[2][axis])
      }
    }
    visit(0, 0, 0, 0)
  }
}

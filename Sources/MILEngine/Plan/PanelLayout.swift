/// Puts matrices that products with weights read, and that steps of this plan make, into panels of columns, as
/// such products want them: then none has to pack them when it runs. It knows no op.
import CKernels

/// A matrix that fills a buffer, row by row.
struct PanelMatrix: Sendable {
  let buffer: Int
  let rows: Int
  /// `nil`: any, as the step looks at single values.
  let columns: Int?
}

/// A step that may find or leave some of its buffers in panels of 16 columns, [columns / 16][rows][16].
protocol PanelledStep: Step {
  /// Those it can, as they would be otherwise.
  var panelMatrices: [PanelMatrix] { get }
  /// The same step with some of them in panels.
  func panelled(_ buffers: [Int: PanelMatrix]) -> any Step
}

struct PanelLayout {
  private static let panel = 16
  /// Products of fewer columns are computed another way.
  private static let columnsMin = 64

  private(set) var steps: [any Step]

  /// `results`: the buffers that are wanted in the end.
  init(_ steps: [any Step], buffers: [Lowering.Buffer], results: Set<Int>) {
    self.steps = steps
    guard !orion_accelerates() else { return }
    let found = Self.matrices(steps, buffers, results)
    guard !found.isEmpty else { return }
    self.steps = steps.map { step in
      guard let step = step as? any PanelledStep,
        step.panelMatrices.contains(where: { found[$0.buffer] != nil })
      else { return step }
      return step.panelled(found)
    }
  }

  /// The matrices that go into panels, by their buffers.
  private static func matrices(
    _ steps: [any Step], _ buffers: [Lowering.Buffer], _ results: Set<Int>
  ) -> [Int: PanelMatrix] {
    var found: [Int: PanelMatrix] = [:]
    var refused = results
    for step in steps {
      let matrices = (step as? any PanelledStep)?.panelMatrices ?? []
      for buffer in Set(step.reads + step.writes) {
        let uses = (step.reads + step.writes).filter { $0 == buffer }.count
        let own = matrices.filter { $0.buffer == buffer }
        guard uses == 1, own.count == 1, buffers[buffer].kind == .result,
          fits(own[0], count: buffers[buffer].count)
        else {
          refused.insert(buffer)
          continue
        }
        guard let known = found[buffer], known.columns != nil else {
          found[buffer] = own[0]
          continue
        }
        if let columns = own[0].columns, columns != known.columns { refused.insert(buffer) }
      }
    }
    agree(steps, &found, refused)
    return found.filter { $0.value.columns != nil }
  }

  private static func fits(_ matrix: PanelMatrix, count: Int) -> Bool {
    guard let columns = matrix.columns else { return matrix.rows == count }
    return matrix.rows * columns == count && columns >= columnsMin && columns % panel == 0
  }

  /// What a step takes value by value is all in panels of the same number of columns, or nothing of it is.
  private static func agree(
    _ steps: [any Step], _ found: inout [Int: PanelMatrix], _ refused: Set<Int>
  ) {
    for buffer in refused { found[buffer] = nil }
    let chains = steps.compactMap { $0 as? ChainStep }
    var changes = true
    while changes {
      changes = false
      for chain in chains {
        let touched = Set(chain.reads + chain.writes)
        let columns = Set(touched.compactMap { found[$0]?.columns })
        let agrees = columns.count <= 1 && touched.allSatisfy { found[$0] != nil }
        for buffer in touched where found[buffer] != nil {
          if !agrees {
            found[buffer] = nil
            changes = true
          } else if let columns = columns.first, let matrix = found[buffer], matrix.columns == nil {
            found[buffer] = PanelMatrix(
              buffer: buffer, rows: matrix.rows / columns, columns: columns)
            changes = true
          }
        }
      }
    }
  }
}

extension LinearStep: PanelledStep {
  var panelMatrices: [PanelMatrix] {
    guard rounding.ways == nil, inner > 0 else { return [] }
    var matrices: [PanelMatrix] = []
    if x.offset == 0, xRow == columns, xColumn == 1 {
      matrices.append(PanelMatrix(buffer: x.buffer, rows: inner, columns: columns))
    }
    if y.offset == 0, yRow == columns, yColumn == 1 {
      matrices.append(PanelMatrix(buffer: y.buffer, rows: outputs, columns: columns))
    }
    return matrices
  }

  func panelled(_ buffers: [Int: PanelMatrix]) -> any Step {
    var step = self
    step.xInPanels = buffers[x.buffer] != nil
    step.yInPanels = buffers[y.buffer] != nil
    return step
  }
}

extension ChainStep: PanelledStep {
  var panelMatrices: [PanelMatrix] {
    guard isFlat else { return [] }
    return (expression.operands + results.map(\.target)).filter { $0.offset == 0 }
      .map { PanelMatrix(buffer: $0.buffer, rows: $0.count, columns: nil) }
  }

  func panelled(_ buffers: [Int: PanelMatrix]) -> any Step { self }
}

extension NormStep: PanelledStep {
  var panelMatrices: [PanelMatrix] {
    guard shape.outer == 1, y.offset == 0 else { return [] }
    return [PanelMatrix(buffer: y.buffer, rows: shape.count, columns: shape.inner)]
  }

  func panelled(_ buffers: [Int: PanelMatrix]) -> any Step {
    var step = self
    step.yInPanels = true
    return step
  }
}

extension AttentionStep: PanelledStep {
  var panelMatrices: [PanelMatrix] {
    let walk = outputWalk
    guard output.offset == 0, walk.column == 1,
      [walk.group, walk.head, walk.feature].allSatisfy({ $0 % queries == 0 })
    else { return [] }
    let rows = groups * heads * valueFeatures
    return [PanelMatrix(buffer: output.buffer, rows: rows, columns: queries)]
  }

  func panelled(_ buffers: [Int: PanelMatrix]) -> any Step {
    guard let matrix = buffers[output.buffer] else { return self }
    var step = self
    func moved(_ stride: Int) -> Int { stride / queries * 16 }
    step.outputWalk = Walk(
      group: moved(outputWalk.group), head: moved(outputWalk.head),
      feature: moved(outputWalk.feature), column: 1)
    step.outputPanel = matrix.rows * 16
    return step
  }
}

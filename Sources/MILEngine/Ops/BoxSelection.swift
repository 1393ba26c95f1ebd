/// `non_maximum_suppression`: keeps the boxes with the best scores that overlap no better one.

extension OpTable {
  static let boxSelection: [OpRow] = [suppression]

  private static let suppression = OpRow(
    "non_maximum_suppression",
    [
      .value("boxes"), .value("scores"), .constant("iou_threshold"), .option("score_threshold"),
      .constant("max_boxes"), .option("per_class_suppression"),
    ],
    infer: { context throws(Diagnostic) in try BoxSelection(context).results },
    lower: { lowering, node throws(Diagnostic) in
      let selection = try BoxSelection(lowering.arguments(node))
      try lowering.compute(node, ["boxes", "scores"], selection.run)
    })
}

/// From ios17 on boxes and scores lie along the last axis and no threshold of scores is given; earlier
/// along the one before, and the number of boxes that were kept is a result too.
private struct BoxSelection {
  let results: [TensorType]
  private let batch: Int
  private let boxes: Int
  private let classes: Int
  private let isLast: Bool
  private let overlapMax: Double
  private let scoreMin: Double
  private let kept: Int
  private let isPerClass: Bool

  init(_ context: InferenceContext) throws(Diagnostic) {
    isLast = context.opsetNumber >= 17
    let given = try context.type("boxes", in: Kinds.floats)
    let scores = try context.type("scores", in: Kinds.floats)
    let (box, along) = isLast ? (1, 2) : (2, 1)
    guard given.shape.count == 3, scores.shape.count == 3, given.shape[box] == 4,
      given.shape[0] == scores.shape[0], given.shape[along] == scores.shape[along],
      !scores.shape.contains(0)
    else {
      let expected = isLast ? "[n, 4, B] and [n, K, B]" : "[n, B, 4] and [n, B, K]"
      throw context.fault(
        "`boxes` and `scores` must be \(expected), none empty; they are \(given.shape.text) and"
          + " \(scores.shape.text)")
    }
    (batch, boxes, classes) = (scores.shape[0], scores.shape[along], scores.shape[box])
    overlapMax = try context.number("iou_threshold", default: 0)
    scoreMin = try context.number("score_threshold", default: -.infinity)
    guard isLast != context.has("score_threshold") else {
      throw context.fault(
        isLast
          ? "`score_threshold` is no argument from ios17 on; filter the scores before"
          : "argument `score_threshold` is missing", rule: "missing-argument")
    }
    kept = try context.size("max_boxes")
    isPerClass = try context.flag("per_class_suppression", default: false)
    let sides = [(given.dtype, 4), (scores.dtype, classes)]
    var results: [TensorType] = []
    for (dtype, count) in sides {
      let shape = isLast ? [batch, count, kept] : [batch, kept, count]
      results.append(try context.result(dtype, shape))
    }
    results.append(TensorType(.int32, [batch, kept]))
    if !isLast { results.append(TensorType(.int32, [batch])) }
    self.results = results
  }

  @Sendable func run(_ memory: DenseStep.Memory) {
    for index in 0..<batch {
      let boxes = memory.floats(0) + index * boxes * 4
      let scores = memory.floats(1) + index * self.boxes * classes
      let chosen = select(boxes, scores)
      copy(chosen, boxes, 4, to: memory.result(0) + index * kept * 4)
      copy(chosen, scores, classes, to: memory.result(1) + index * kept * classes)
      for place in 0..<kept {
        let number = place < chosen.count ? chosen[place] : -1
        memory.resultWords(2)[index * kept + place] = Words.word(Int32(truncatingIfNeeded: number))
      }
      if !isLast { memory.resultWords(3)[index] = UInt32(truncatingIfNeeded: chosen.count) }
    }
  }

  private func element(_ base: UnsafePointer<Float>, _ box: Int, _ part: Int, of parts: Int)
    -> Double
  {
    Double(base[isLast ? part * boxes + box : box * parts + part])
  }

  private func copy(
    _ chosen: [Int], _ source: UnsafePointer<Float>, _ parts: Int,
    to target: UnsafeMutablePointer<Float>
  ) {
    for place in 0..<kept {
      for part in 0..<parts {
        let value =
          place < chosen.count ? Float(element(source, chosen[place], part, of: parts)) : 0
        target[isLast ? part * kept + place : place * parts + part] = value
      }
    }
  }

  /// The kept boxes, the best first; the best of all when none reaches the least score.
  private func select(_ boxes: UnsafePointer<Float>, _ scores: UnsafePointer<Float>) -> [Int] {
    var best: [(score: Double, kind: Int)] = []
    for box in 0..<self.boxes {
      var found = (score: element(scores, box, 0, of: classes), kind: 0)
      for kind in 1..<max(classes, 1) {
        let score = element(scores, box, kind, of: classes)
        if score > found.score { found = (score, kind) }
      }
      best.append(found)
    }
    // Of equal ones the first.
    let order = best.indices.sorted { (best[$1].score, $0) < (best[$0].score, $1) }
    var chosen: [Int] = []
    for box in order where best[box].score > scoreMin {
      if chosen.count == kept { break }
      let rivals = chosen.filter { !isPerClass || best[$0].kind == best[box].kind }
      if rivals.allSatisfy({ overlap(boxes, $0, box) <= overlapMax }) { chosen.append(box) }
    }
    return chosen.isEmpty ? Array(order.prefix(1)) : chosen
  }

  /// Intersection over union of two boxes, given by middle, width and height.
  private func overlap(_ base: UnsafePointer<Float>, _ left: Int, _ right: Int) -> Double {
    let (a, b) = (box(base, left), box(base, right))
    let (first, second) = ((a.x1 - a.x0) * (a.y1 - a.y0), (b.x1 - b.x0) * (b.y1 - b.y0))
    guard first > 0, second > 0 else { return 0 }
    let width = max(0, min(a.x1, b.x1) - max(a.x0, b.x0))
    let height = max(0, min(a.y1, b.y1) - max(a.y0, b.y0))
    return width * height / (first + second - width * height)
  }

  private func box(
    _ base: UnsafePointer<Float>, _ index: Int
  ) -> (x0: Double, x1: Double, y0: Double, y1: Double) {
    let part = (0..<4).map { element(base, index, $0, of: 4) }
    return (
      part[0] - part[2] / 2, part[0] + part[2] / 2, part[1] - part[3] / 2, part[1] + part[3] / 2
    )
  }
}

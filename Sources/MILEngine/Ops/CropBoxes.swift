/// The boxes of a `crop_resize`: where each of them cuts the image, and which image it is.

struct CropBoxes: Sendable {
  private enum Corner: String, CaseIterable {
    case heightFirst = "CORNERS_HEIGHT_FIRST"
    case widthFirst = "CORNERS_WIDTH_FIRST"
    case centreHeightFirst = "CENTER_SIZE_HEIGHT_FIRST"
    case centreWidthFirst = "CENTER_SIZE_WIDTH_FIRST"
  }

  let result: TensorType
  /// The argument that holds the boxes.
  let name: String
  let hasIndices: Bool
  private let x: [Int]
  private let count: Int
  /// Numbers of a box; with five the first is the image's number.
  private let numbers: Int
  private let isFloat: Bool
  private let target: [Int]
  private let scale: [Double]
  private let corner: Corner
  private let mode: SamplingMode
  private let padding: Double

  init(_ context: InferenceContext) throws(Diagnostic) {
    let type = try context.imageBatch("x")
    x = type.shape
    name = context.has("boxes") ? "boxes" : "roi"
    hasIndices = context.has("box_indices")
    let boxes = try context.type(name, in: Kinds.floats + [.uint16])
    isFloat = boxes.dtype.isFloat
    let isOld = name == "roi"
    let isWhole =
      isOld
      ? boxes.shape.count == 5 && [4, 5].contains(boxes.shape[2])
        && [1, 3, 4].allSatisfy { boxes.shape[$0] == 1 }
      : boxes.shape.count == 2 && boxes.shape[1] == 4
    guard isWhole else {
      let expected = isOld ? "[N, 1, 4, 1, 1] or [N, 1, 5, 1, 1]" : "[N, 4]"
      throw context.fault("`\(name)` must be \(expected); it is \(boxes.shape.text)")
    }
    (count, numbers) = (boxes.shape[0], isOld ? boxes.shape[2] : 4)
    if hasIndices {
      let indices = try context.type("box_indices", in: [.int32, .uint16]).shape
      guard indices == [count] else {
        throw context.fault("`box_indices` must be \([count].text); it is \(indices.text)")
      }
    } else if !isOld, count > x[0] {
      throw context.fault(
        "`box_indices` is missing, and \(x[0]) images do not go round \(count) boxes")
    }
    target = [
      try context.size("target_height", default: 1), try context.size("target_width", default: 1),
    ]
    let spatial = try context.number("spatial_scale", default: 1)
    let isNormal = try context.flag("normalized_coordinates", default: false)
    scale = [x[2], x[3]].map { spatial * (isNormal ? Double($0 - 1) : 1) }
    let modes = Corner.allCases.map(\.rawValue)
    corner = Corner(rawValue: try context.choice("box_coordinate_mode", modes)) ?? .heightFirst
    mode = try context.samplingMode()
    padding = try context.number("pad_value", default: 0)
    let images = isOld ? [count, numbers == 5 ? 1 : x[0]] : [count]
    result = try context.result(type.dtype, images + [x[1]] + target)
  }

  func run(_ memory: DenseStep.Memory, _ rounder: Rounder) {
    let plane = x[2] * x[3]
    var target = memory.result(0)
    for box in 0..<count {
      let words = memory.words(1) + box * numbers
      let given = (0..<numbers).map { isFloat ? Double(Words.float(words[$0])) : Double(words[$0]) }
      let images = images(of: box, given, memory)
      let taps = taps(Array(given.suffix(4)))
      for image in images {
        guard (0..<x[0]).contains(image) else {
          return memory.fail("crop_resize: box \(box) names image \(image) of \(x[0])")
        }
        for channel in 0..<x[1] {
          let source = memory.floats(0) + (image * x[1] + channel) * plane
          for row in taps.rows {
            for column in taps.columns {
              target.pointee = rounder(value(source, row, column))
              target += 1
            }
          }
        }
      }
    }
  }

  private func images(of box: Int, _ given: [Double], _ memory: DenseStep.Memory) -> [Int] {
    if hasIndices { return [Int(Words.signed(memory.words(2)[box]))] }
    if name == "boxes" { return [box] }
    return numbers == 5 ? [Int(Words.integer(given[0]))] : Array(0..<x[0])
  }

  /// Points along both axes; `nil` where they leave the image.
  private func taps(_ box: [Double]) -> (rows: [Tap?], columns: [Tap?]) {
    let isHeightFirst = corner == .heightFirst || corner == .centreHeightFirst
    let isCentred = corner == .centreHeightFirst || corner == .centreWidthFirst
    let sides = [0, 1].map { axis -> [Tap?] in
      let place = isHeightFirst ? axis : 1 - axis
      let (first, second) = (box[place] * scale[axis], box[place + 2] * scale[axis])
      let (begin, end) = isCentred ? (first - second / 2, first + second / 2) : (first, second)
      return mode.points(first: begin, last: end, count: target[axis]).map { point in
        point >= 0 && point <= Double(x[2 + axis] - 1) ? Tap(at: point, length: x[2 + axis]) : nil
      }
    }
    return (sides[0], sides[1])
  }

  private func value(_ source: UnsafePointer<Float>, _ row: Tap?, _ column: Tap?) -> Double {
    guard let row, let column else { return padding }
    func line(_ index: Int) -> Double {
      let line = source + index * x[3]
      let (first, second) = (Double(line[column.first]), Double(line[column.second]))
      return column.weight == 0 ? first : first + (second - first) * column.weight
    }
    let (first, second) = (line(row.first), line(row.second))
    return row.weight == 0 ? first : first + (second - first) * row.weight
  }
}

/// Reads an image between its pixels and beyond its edges, as `affine` and `resample` say.

struct ImageReader: Sendable {
  enum Beyond: Sendable {
    case constant(Double)
    case border
    /// Mirrored at the middle of the edge's pixels.
    case reflection
    /// Mirrored at the edge itself.
    case symmetric
  }

  /// Up to four pixels with their weights; `nil` for a pixel beyond the edge.
  struct Spot {
    fileprivate let corners: [(offset: Int?, weight: Double)]
  }

  private let height: Int
  private let width: Int
  private let isNearest: Bool
  private let beyond: Beyond
  private let coordinates: String
  private let isAligned: Bool
  /// Pixels of one channel.
  var plane: Int { height * width }

  private static let unnormalized = "unnormalized"
  private static let minusOneToOne = "normalized_minus_one_to_one"

  init(_ context: InferenceContext) throws(Diagnostic) {
    let x = try context.imageBatch("x")
    (height, width) = (x.shape[2], x.shape[3])
    isNearest = try context.choice("sampling_mode", ["bilinear", "nearest"]) == "nearest"
    let padding = try context.number("padding_value", default: 0)
    switch try context.choice("padding_mode", ["constant", "border", "reflection", "symmetric"]) {
    case "border": beyond = .border
    case "reflection": beyond = .reflection
    case "symmetric": beyond = .symmetric
    default: beyond = .constant(padding)
    }
    coordinates = try context.choice(
      "coordinates_mode", [Self.minusOneToOne, "normalized_zero_to_one", Self.unnormalized])
    isAligned = try context.flag("align_corners", default: true)
  }

  func spot(x: Double, y: Double) -> Spot {
    let x = inside(pixel(x, width), width)
    let y = inside(pixel(y, height), height)
    guard x.isFinite, y.isFinite else { return Spot(corners: [(nil, 1)]) }
    if isNearest {
      let offset = offset(x.rounded(.toNearestOrEven), y.rounded(.toNearestOrEven))
      return Spot(corners: [(offset, 1)])
    }
    let (left, top) = (x.rounded(.down), y.rounded(.down))
    let (right, bottom) = (x - left, y - top)
    let corners = [
      (left, top, (1 - right) * (1 - bottom)), (left + 1, top, right * (1 - bottom)),
      (left, top + 1, (1 - right) * bottom), (left + 1, top + 1, right * bottom),
    ]
    return Spot(
      corners: corners.filter { $0.2 != 0 }.map { (offset: offset($0.0, $0.1), weight: $0.2) })
  }

  func value(_ image: UnsafePointer<Float>, _ spot: Spot) -> Double {
    var padding = 0.0
    if case .constant(let value) = beyond { padding = value }
    return spot.corners.reduce(0) { sum, corner in
      sum + corner.weight * (corner.offset.map { Double(image[$0]) } ?? padding)
    }
  }

  /// The place in pixels, whose middles are whole numbers.
  private func pixel(_ value: Double, _ length: Int) -> Double {
    let length = Double(length)
    guard coordinates != Self.unnormalized else { return value }
    let part = coordinates == Self.minusOneToOne ? (value + 1) / 2 : value
    return isAligned ? part * (length - 1) : part * length - 0.5
  }

  private func inside(_ place: Double, _ length: Int) -> Double {
    let last = Double(length - 1)
    switch beyond {
    case .constant: return place
    case .border: return max(0, min(last, place))
    case .reflection: return mirrored(place, from: 0, to: last)
    case .symmetric: return max(0, min(last, mirrored(place, from: -0.5, to: last + 0.5)))
    }
  }

  private func mirrored(_ place: Double, from low: Double, to high: Double) -> Double {
    let span = high - low
    guard span > 0 else { return low }
    let distance = abs(place - low)
    let turns = (distance / span).rounded(.down)
    let rest = distance - turns * span
    return turns.truncatingRemainder(dividingBy: 2) == 0 ? low + rest : high - rest
  }

  private func offset(_ x: Double, _ y: Double) -> Int? {
    guard x >= 0, y >= 0, x <= Double(width - 1), y <= Double(height - 1) else { return nil }
    return Int(y) * width + Int(x)
  }
}

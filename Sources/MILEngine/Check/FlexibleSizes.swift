/// Sizes of a function's inputs that its text leaves open: found among the default shapes that Apple's
/// compiler writes beside the function.

struct FlexibleSizes {
  /// Some input's type leaves a size open, so that results are what the ops make of the sizes chosen.
  let isOpen: Bool
  /// The default shape of each input that has one.
  private let defaults: [String: [Int]]

  init(isOpen: Bool) {
    self.isOpen = isOpen
    defaults = [:]
  }

  init(_ function: Function) {
    isOpen = function.parameters.contains { Self.dimensions(of: $0).contains(.unknown) }
    defaults = Self.defaultShapes(function.attributes)
  }

  /// The parameter with its default sizes where it has none of its own.
  func closed(_ parameter: Binding) -> Binding {
    guard case .tensor(let dtype, let dimensions) = parameter.type,
      dimensions.contains(.unknown), let shape = defaults[parameter.name],
      shape.count == dimensions.count
    else { return parameter }
    var closed = parameter
    let fits = zip(dimensions, shape).allSatisfy { $0 == .unknown || $0 == .fixed($1) }
    if fits { closed.type = .tensor(dtype, shape.map { .fixed($0) }) }
    return closed
  }

  private static func dimensions(of binding: Binding) -> [Dimension] {
    switch binding.type {
    case .tensor(_, let dimensions), .state(.tensor(_, let dimensions)): return dimensions
    default: return []
    }
  }

  /// `FlexibleShapeInformation = …((("DefaultShapes", {{"x", [1, 4]}}), …))`
  private static func defaultShapes(_ attributes: [Argument]) -> [String: [Int]] {
    guard let given = attributes.first(where: { $0.name == "FlexibleShapeInformation" }),
      case .literal(let literal) = given.value, case .tuple(let entries) = literal.payload
    else { return [:] }
    var shapes: [String: [Int]] = [:]
    for case .tuple(let entry) in entries where entry.first == .string("DefaultShapes") {
      guard case .pairs(let pairs)? = entry.last else { continue }
      for pair in pairs {
        guard case .string(let name) = pair.key, case .list(let sizes) = pair.value else {
          continue
        }
        let numbers = sizes.compactMap { size in
          if case .number(let text) = size { Int(text) } else { nil }
        }
        if numbers.count == sizes.count { shapes[name] = numbers }
      }
    }
    return shapes
  }
}

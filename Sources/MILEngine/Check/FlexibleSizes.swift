/// Sizes of a function's inputs that its text leaves open: found among the default shapes that Apple's
/// compiler writes beside the function.

struct FlexibleSizes {
  /// Some type leaves a size open, so that results are what the ops make of the sizes chosen.
  let isOpen: Bool
  /// The default shape of each input that has one.
  private let defaults: [String: [Int]]

  init(isOpen: Bool) {
    self.isOpen = isOpen
    defaults = [:]
  }

  init(_ function: Function) {
    let results = function.body.operations.flatMap(\.outputs)
    isOpen = (function.parameters + results).contains {
      Self.dimensions(of: $0).contains(.unknown)
    }
    defaults = Self.entries("DefaultShapes", function.attributes).compactMapValues(Self.numbers)
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

  func hasDefault(_ shape: [Int], of input: String) -> Bool { defaults[input] == shape }

  private static func dimensions(of binding: Binding) -> [Dimension] {
    switch binding.type {
    case .tensor(_, let dimensions), .state(.tensor(_, let dimensions)): return dimensions
    default: return []
    }
  }

  /// The sizes that each axis of an input may have, where the function says so. An end that is not
  /// positive stands for none.
  static func ranges(_ attributes: [Argument]) -> [String: [ClosedRange<Int>]] {
    entries("RangeDims", attributes).compactMapValues { payload in
      guard case .list(let axes) = payload else { return nil }
      let ends = axes.compactMap(numbers)
      guard ends.count == axes.count, ends.allSatisfy({ $0.count == 2 }) else { return nil }
      return ends.map { $0[0]...max($0[0], $0[1] > 0 ? $0[1] : .max) }
    }
  }

  /// The choices where the function lists them, each with the shapes of its inputs.
  static func choices(_ attributes: [Argument]) -> [[String: [Int]]] {
    entries("EnumeratedShapes", attributes).sorted { $0.key < $1.key }.compactMap { choice in
      guard case .pairs(let pairs) = choice.value else { return nil }
      var shapes: [String: [Int]] = [:]
      for pair in pairs {
        if case .string(let input) = pair.key { shapes[input] = numbers(pair.value) }
      }
      return shapes
    }
  }

  /// One dict of `FlexibleShapeInformation = …((("DefaultShapes", {{"x", [1, 4]}}), …))`, by input.
  private static func entries(_ name: String, _ attributes: [Argument]) -> [String: Payload] {
    guard let given = attributes.first(where: { $0.name == "FlexibleShapeInformation" }),
      case .literal(let literal) = given.value, case .tuple(let entries) = literal.payload
    else { return [:] }
    var result: [String: Payload] = [:]
    for case .tuple(let entry) in entries where entry.first == .string(name) {
      guard case .pairs(let pairs)? = entry.last else { continue }
      for pair in pairs {
        if case .string(let input) = pair.key { result[input] = pair.value }
      }
    }
    return result
  }

  private static func numbers(_ payload: Payload) -> [Int]? {
    guard case .list(let members) = payload else { return nil }
    let numbers = members.compactMap { member in
      if case .number(let text) = member { Int(text) } else { nil }
    }
    return numbers.count == members.count ? numbers : nil
  }
}

/// What type rules share: reading arguments, naming faults, axes, broadcasting. It knows no op.

/// Largest number of elements of a tensor; products of sizes below it cannot overflow.
let elementCountMax = 1 << 48

extension InferenceContext {
  func fault(_ message: String, rule: String = "type-mismatch") -> Diagnostic {
    Diagnostic("\(op): \(message)", rule: rule, at: span)
  }

  /// Opset as a number: 18 for `ios18`.
  var opsetNumber: Int { Int(opset.drop { !$0.isNumber }) ?? 0 }

  func has(_ name: String) -> Bool { types[name]?.isEmpty == false }

  /// The type of an argument that must be there.
  func type(_ name: String) throws(Diagnostic) -> TensorType {
    guard let type = types[name]?.first else {
      throw fault("argument `\(name)` is missing", rule: "missing-argument")
    }
    return type
  }

  /// The type of an argument, one of `dtypes`.
  func type(_ name: String, in dtypes: [DType]) throws(Diagnostic) -> TensorType {
    let type = try type(name)
    guard dtypes.contains(type.dtype) else {
      let expected = dtypes.map(\.rawValue).joined(separator: ", ")
      throw fault("`\(name)` must be one of \(expected); it is \(type.dtype.rawValue)")
    }
    return type
  }

  // MARK: constants

  /// The decoded constant given for `name`; `nil` when the argument is left out.
  func constant(_ name: String) throws(Diagnostic) -> ConstantValue? {
    if let value = constants[name] { return value }
    guard has(name) else { return nil }
    throw fault(
      "`\(name)` must be a constant whose value is written in the text; it is not",
      rule: "not-constant")
  }

  /// Integers that must be written in the text when they are given.
  func integers(_ name: String) throws(Diagnostic) -> [Int]? {
    guard let value = try constant(name) else { return nil }
    var result: [Int] = []
    for number in value.numbers {
      guard let integer = Int(exactly: number), value.type.dtype != .bool else {
        throw fault("`\(name)` must hold integers; it holds \(number)")
      }
      result.append(integer)
    }
    guard !result.isEmpty || value.type.elementCount == 0 else {
      throw fault("`\(name)` must hold integers; it holds \(value.type.dtype.rawValue)")
    }
    return result
  }

  /// Integers of an argument that must be there, `count` of them unless that is `nil`.
  func requiredIntegers(_ name: String, count: Int? = nil) throws(Diagnostic) -> [Int] {
    guard let result = try integers(name) else {
      throw fault("argument `\(name)` is missing", rule: "missing-argument")
    }
    if let count, result.count != count {
      throw fault("`\(name)` must hold \(count) values; it holds \(result.count)")
    }
    return result
  }

  func integer(_ name: String, default value: Int) throws(Diagnostic) -> Int {
    guard let list = try integers(name) else { return value }
    guard list.count == 1 else {
      throw fault("`\(name)` must be one integer; it holds \(list.count)")
    }
    return list[0]
  }

  func flags(_ name: String) throws(Diagnostic) -> [Bool]? {
    guard let value = try constant(name) else { return nil }
    guard value.type.dtype == .bool else {
      throw fault("`\(name)` must be bool; it is \(value.type.dtype.rawValue)")
    }
    return value.numbers.map { $0 != 0 }
  }

  func flag(_ name: String, default value: Bool) throws(Diagnostic) -> Bool {
    guard let list = try flags(name) else { return value }
    guard list.count == 1 else {
      throw fault("`\(name)` must be one bool; it holds \(list.count)")
    }
    return list[0]
  }

  func number(_ name: String, default value: Double) throws(Diagnostic) -> Double {
    guard let constant = try constant(name) else { return value }
    guard constant.numbers.count == 1 else {
      throw fault("`\(name)` must be one number; it holds \(constant.numbers.count)")
    }
    return constant.numbers[0]
  }

  /// One of `allowed`, the first when the argument is left out.
  func choice(_ name: String, _ allowed: [String]) throws(Diagnostic) -> String {
    guard let constant = try constant(name) else { return allowed[0] }
    guard let text = constant.strings.first, allowed.contains(text) else {
      let came = constant.strings.first.map { "\"\($0)\"" } ?? constant.type.text
      throw fault("`\(name)` must be one of \(allowed.joined(separator: ", ")); it is \(came)")
    }
    return text
  }

  // MARK: axes and shapes

  /// An axis counted from the front.
  func axis(_ axis: Int, rank: Int, of name: String) throws(Diagnostic) -> Int {
    guard axis >= -rank, axis < rank else {
      let range = rank == 0 ? "there is none" : "give \(-rank) to \(rank - 1)"
      throw fault("`\(name)` is \(axis), but the rank is \(rank); \(range)")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Distinct axes, counted from the front, in the order given.
  func axes(_ axes: [Int], rank: Int, of name: String) throws(Diagnostic) -> [Int] {
    var result: [Int] = []
    for axis in axes {
      let axis = try self.axis(axis, rank: rank, of: name)
      guard !result.contains(axis) else { throw fault("`\(name)` names axis \(axis) twice") }
      result.append(axis)
    }
    return result
  }

  /// Shape of an element-wise result, by numpy's broadcasting.
  func broadcast(_ shapes: [(name: String, shape: [Int])]) throws(Diagnostic) -> [Int] {
    var result: [Int] = []
    for (name, shape) in shapes {
      guard let wider = Shape.broadcast(result, shape) else {
        let all = shapes.map { "`\($0.name)` \($0.shape.text)" }.joined(separator: ", ")
        throw fault(
          "shapes do not broadcast at `\(name)`: \(all); sizes of an axis must be equal or 1")
      }
      result = wider
    }
    return result
  }

  /// A result type whose size can be computed with.
  func result(_ dtype: DType, _ shape: [Int]) throws(Diagnostic) -> TensorType {
    guard Shape.isUsable(shape) else {
      throw fault("the result \(shape.text) has too many elements", rule: "too-large")
    }
    return TensorType(dtype, shape)
  }
}

/// Arithmetic of shapes.
enum Shape {
  /// Number of elements, or `nil` when it overflows.
  static func count(_ shape: [Int]) -> Int? {
    var result = 1
    for size in shape {
      let (product, overflow) = result.multipliedReportingOverflow(by: size)
      guard !overflow, size >= 0 else { return nil }
      result = product
    }
    return result
  }

  /// No product of its sizes can overflow, even where others are 0.
  static func isUsable(_ shape: [Int]) -> Bool {
    guard shape.allSatisfy({ $0 >= 0 }), let count = count(shape.map { max($0, 1) }) else {
      return false
    }
    return count <= elementCountMax
  }

  static func broadcast(_ left: [Int], _ right: [Int]) -> [Int]? {
    let rank = max(left.count, right.count)
    var result: [Int] = []
    for index in 0..<rank {
      let a = index < rank - left.count ? 1 : left[index - rank + left.count]
      let b = index < rank - right.count ? 1 : right[index - rank + right.count]
      guard a == b || a == 1 || b == 1 else { return nil }
      result.append(a == 1 ? b : a)
    }
    return result
  }

  /// Element strides of a dense row-major tensor.
  static func strides(_ shape: [Int]) -> [Int] {
    var result = [Int](repeating: 1, count: shape.count)
    for index in shape.indices.dropLast().reversed() {
      result[index] = result[index + 1] * max(shape[index + 1], 1)
    }
    return result
  }
}

extension [Int] {
  /// `[1, 64, 1, 32]`
  var text: String { "[" + map(String.init).joined(separator: ", ") + "]" }
}

extension TensorType {
  /// `fp16 [1, 64, 1, 32]`
  var text: String { "\(dtype.rawValue) \(shape.text)" }
}

/// Sets of element types that ops name together.
enum Kinds {
  static let floats: [DType] = [.fp16, .fp32]
  static let numbers: [DType] = [.fp16, .fp32, .int32]
  static let small: [DType] = [.int8, .uint8, .int16, .uint16]
  static let any: [DType] = numbers + [.bool] + small
  static let indices: [DType] = [.int32] + small
}

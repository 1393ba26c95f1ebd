extension Device {
  static let rankMax = 5

  /// The layout that this device gives a tensor, after the checks a caller's sizes need.
  func layout(_ dtype: DType, _ shape: [Int]) throws(OrionError) -> Layout {
    guard dtype.isTensorElement else {
      throw OrionError(
        .argument,
        "tensor of \(dtype.rawValue): memory holds \(DType.tensorElements); choose one of them")
    }
    guard shape.count <= Self.rankMax else {
      throw OrionError(
        .argument, "tensor of rank \(shape.count): ranks 0 to \(Self.rankMax) exist; reshape it")
    }
    var rowCount = 1
    for axis in shape.indices {
      let length = shape[axis]
      guard length > 0 else {
        throw OrionError(
          .argument, "tensor of shape \(shape): axis \(axis) is \(length); every axis is at least 1"
        )
      }
      guard axis < shape.count - 1 else { continue }
      let (product, overflow) = rowCount.multipliedReportingOverflow(by: length)
      guard !overflow else { throw Self.tooLarge(shape) }
      rowCount = product
    }
    let (row, rowOverflow) = (shape.last ?? 1).multipliedReportingOverflow(by: dtype.byteCount)
    guard !rowOverflow, row <= Self.byteCountMax else { throw Self.tooLarge(shape) }
    let rowBytes = backend.rowBytes(forRowOf: row)
    let (bytes, overflow) = rowCount.multipliedReportingOverflow(by: rowBytes)
    guard !overflow, bytes <= Self.byteCountMax else { throw Self.tooLarge(shape) }
    return Layout(dtype: dtype, shape: shape, rowBytes: rowBytes)
  }

  static let byteCountMax = 1 << 40

  private static func tooLarge(_ shape: [Int]) -> OrionError {
    OrionError(
      .argument,
      "tensor of shape \(shape): more than \(byteCountMax) bytes; a tensor must fit in memory")
  }
}

extension DType {
  /// Elements that a tensor in memory may have.
  var isTensorElement: Bool { Self.tensorElements.contains(rawValue) }
  static let tensorElements = [
    "fp16", "fp32", "int32", "int8", "uint8", "int16", "uint16", "bool",
  ]
}

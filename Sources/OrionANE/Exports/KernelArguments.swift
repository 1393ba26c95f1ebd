import CKernels
import COrionANE

/// Checks of the memory that the C interface's kernels are given. It knows no kernel.
enum KernelArguments {
  /// Bytes that a call names, to find out which of them overlap.
  struct Memory {
    let name: String
    let start: UInt
    let bytes: Int

    func overlaps(_ other: Memory) -> Bool {
      bytes > 0 && other.bytes > 0 && start < other.start + UInt(other.bytes)
        && other.start < start + UInt(bytes)
    }
  }

  /// A matrix that was checked.
  struct Matrix {
    let name: String
    let rows: Int
    let columns: Int
    let view: orion_matrix
    let memory: Memory

    var shape: String { "[\(rows), \(columns)]" }
    var count: Int { rows * columns }

    func isSame(as other: Matrix) -> Bool {
      view.values == other.view.values && view.row_bytes == other.view.row_bytes
        && view.half == other.view.half && rows == other.rows && columns == other.columns
    }
  }

  static func matrix(_ pointer: UnsafePointer<orion_kernel_matrix>?, _ name: String)
    throws(OrionError) -> Matrix
  {
    try matrix(try CArguments.required(pointer, name).pointee, name)
  }

  static func matrix(_ given: orion_kernel_matrix, _ name: String) throws(OrionError) -> Matrix {
    let half = given.dtype == Int32(ORION_FP16)
    guard half || given.dtype == Int32(ORION_FP32) else {
      throw refusal(name, "dtype \(given.dtype), expected \(ORION_FP16) (fp16) or \(ORION_FP32)")
    }
    guard given.reserved == 0 else {
      throw refusal(name, "reserved is \(given.reserved), expected 0")
    }
    let size = half ? 2 : 4
    guard given.row_bytes % size == 0 else {
      throw refusal(name, "row_bytes \(given.row_bytes), expected a multiple of \(size)")
    }
    let rows = try length(given.rows, name)
    let columns = try length(given.columns, name)
    let (values, tooMany) = rows.multipliedReportingOverflow(by: columns)
    let (row, wide) = columns.multipliedReportingOverflow(by: size)
    guard !tooMany, !wide else {
      throw refusal(name, "\(rows) x \(columns) values are more than memory holds")
    }
    guard values > 0 else {
      return Matrix(
        name: name, rows: rows, columns: columns,
        view: view(given),
        memory: Memory(name: name, start: 0, bytes: 0))
    }
    guard rows == 1 || given.row_bytes >= row else {
      throw refusal(name, "row_bytes \(given.row_bytes), expected at least \(row)")
    }
    let (span, far) = (rows - 1).multipliedReportingOverflow(by: Int(given.row_bytes))
    let (bytes, farther) = span.addingReportingOverflow(row)
    guard !far, !farther else {
      throw refusal(name, "\(rows) rows of \(given.row_bytes) bytes are more than memory holds")
    }
    return Matrix(
      name: name, rows: rows, columns: columns,
      view: view(given),
      memory: try memory(UnsafeRawPointer(given.values), bytes: bytes, alignment: size, name))
  }

  /// A matrix that was checked, as the kernels take it.
  static func view(_ given: orion_kernel_matrix) -> orion_matrix {
    orion_matrix(
      values: given.values, row_bytes: given.row_bytes, half: given.dtype == Int32(ORION_FP16))
  }

  /// `count` values of a type at a pointer, which may be null when there are none.
  static func values<T>(_ pointer: UnsafePointer<T>?, count: Int, _ name: String)
    throws(OrionError) -> Memory
  {
    let size = MemoryLayout<T>.stride
    let (bytes, tooMany) = count.multipliedReportingOverflow(by: size)
    guard !tooMany else { throw refusal(name, "\(count) values are more than memory holds") }
    return try memory(UnsafeRawPointer(pointer), bytes: bytes, alignment: size, name)
  }

  static func length(_ count: Int, _ name: String) throws(OrionError) -> Int {
    guard count >= 0 else { throw refusal(name, "a count of \(UInt(bitPattern: count))") }
    return count
  }

  /// What is written must overlap nothing that is read or written.
  static func requireApart(
    _ written: Memory, _ first: Memory, _ second: Memory? = nil, _ third: Memory? = nil,
    _ fourth: Memory? = nil
  ) throws(OrionError) {
    func check(_ other: Memory?) throws(OrionError) {
      guard let other, written.overlaps(other) else { return }
      throw refusal(
        written.name, "overlaps \(other.name); memory that is written must lie apart from it")
    }
    try check(first)
    try check(second)
    try check(third)
    try check(fourth)
  }

  static func requireShape(_ matrix: Matrix, rows: Int, columns: Int, _ like: String)
    throws(OrionError)
  {
    guard matrix.rows == rows, matrix.columns == columns else {
      throw refusal(matrix.name, "shape \(matrix.shape), expected [\(rows), \(columns)] as \(like)")
    }
  }

  static func requireFloats(_ matrix: Matrix) throws(OrionError) {
    guard !matrix.view.half else { throw refusal(matrix.name, "fp16, expected fp32") }
  }

  /// Ids below a limit; `least` is the smallest allowed one.
  static func requireIds(
    _ ids: UnsafePointer<Int32>?, count: Int, below limit: Int, least: Int32, _ name: String
  ) throws(OrionError) {
    for (position, id) in UnsafeBufferPointer(start: ids, count: count).enumerated() {
      guard id >= least, Int(id) < limit else {
        throw refusal(name, "\(id) at position \(position), expected \(least) to \(limit - 1)")
      }
    }
  }

  static func refusal(_ name: String, _ what: String) -> OrionError {
    OrionError(.argument, "\(name): \(what)")
  }

  private static func memory(
    _ pointer: UnsafeRawPointer?, bytes: Int, alignment: Int, _ name: String
  ) throws(OrionError) -> Memory {
    guard bytes > 0 else { return Memory(name: name, start: 0, bytes: 0) }
    guard let pointer else { throw refusal(name, "null; pass the address of a value") }
    let start = UInt(bitPattern: pointer)
    guard start % UInt(alignment) == 0 else {
      let address = String(start, radix: 16)
      throw refusal(name, "address 0x\(address), expected a multiple of \(alignment)")
    }
    guard !start.addingReportingOverflow(UInt(bytes)).overflow else {
      throw refusal(name, "\(bytes) bytes reach beyond the end of memory")
    }
    return Memory(name: name, start: start, bytes: bytes)
  }
}

import MILEngine

/// Rows of numbers in a weight file, mapped. It knows neither tokens nor positions.
final class TableRows: Sendable {
  let dtype: DType
  let rows: Int
  let width: Int
  /// Keeps the mapping alive.
  private let file: BlobFile
  private nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// The record of the table must hold exactly what the manifest says.
  init(_ row: Manifest.TableRow, in file: BlobFile) throws(OrionError) {
    do {
      bytes = try file.bytes(
        at: UInt64(row.offset), as: TensorType(row.dtype, [row.rows, row.width]))
    } catch {
      throw OrionError(
        .file,
        "table \"\(row.name)\": \(error.text(file: file.path));"
          + " build the bundle again (orion compile)")
    }
    self.file = file
    dtype = row.dtype
    rows = row.rows
    width = row.width
  }

  /// The first number of a row.
  func address(ofRow row: Int) -> UnsafeRawPointer? {
    bytes.baseAddress.map { $0 + row * width * dtype.byteCount }
  }
}

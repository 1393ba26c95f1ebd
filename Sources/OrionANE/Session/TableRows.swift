import MILEngine

/// Rows of numbers in a weight file: of a small table where they are mapped, of a large one read when they are
/// wanted, as a mapping would keep the rows beside them in memory too. It knows neither tokens nor positions.
final class TableRows: Sendable {
  let dtype: DType
  let rows: Int
  let width: Int
  private static let mappedBytesMax = 4 << 20
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

  var rowBytes: Int { width * dtype.byteCount }

  /// The first number of a row, which may be in `buffer`, of `rowBytes` bytes.
  func row(_ row: Int, in buffer: UnsafeMutableRawPointer) throws(OrionError) -> UnsafeRawPointer? {
    guard bytes.count > Self.mappedBytesMax else {
      return bytes.baseAddress.map { $0 + row * rowBytes }
    }
    do throws(Diagnostic) {
      try file.copy(
        UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]), to: buffer)
    } catch {
      throw OrionError(.file, error.text(file: file.path))
    }
    return UnsafeRawPointer(buffer)
  }
}

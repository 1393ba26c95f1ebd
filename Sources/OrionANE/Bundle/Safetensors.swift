import CKernels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads a safetensors file: names, types, shapes and bytes of its tensors. It knows no model.
struct Safetensors {
  /// A header lists tensors; no real one comes near this.
  private static let headerBytesMax = 100 << 20
  private static let widths: [String: Int] = ["F32": 4, "F16": 2, "BF16": 2]

  struct Tensor {
    let name: String
    /// `F32`, `F16` or `BF16`.
    let dtype: String
    let shape: [Int]
    fileprivate let range: Range<Int>
  }

  /// In the order of the header.
  let tensors: [Tensor]
  private let path: String
  private let bytes: [UInt8]

  init(path: String) throws(OrionError) {
    self.path = path
    let bytes = try FileBytes.read(path, atMost: 4 << 30)
    self.bytes = bytes
    func fault(_ message: String) -> OrionError {
      OrionError(.file, "\(path): not a safetensors file: \(message); write it again")
    }
    guard bytes.count >= 8 else { throw fault("it has \(bytes.count) bytes, expected 8 or more") }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Safetensors.headerBytesMax), length <= UInt64(bytes.count - 8) else {
      throw fault("its header is said to have \(length) bytes, of \(bytes.count) in the file")
    }
    let start = 8 + Int(length)
    let root: JSONValue
    do {
      root = try JSONReader.read(Array(bytes[8..<start]))
    } catch {
      throw fault("its header is not JSON: \(error.message)")
    }
    let field = ManifestField(root, file: path, remedy: "Write the file again")
    var tensors: [Tensor] = []
    for (name, row) in try field.members() where name != "__metadata__" {
      tensors.append(try Safetensors.tensor(name, row, in: bytes.count - start, at: start))
    }
    self.tensors = tensors
  }

  private static func tensor(_ name: String, _ row: ManifestField, in count: Int, at start: Int)
    throws(OrionError) -> Tensor
  {
    let path = row.file
    let dtype = try row.required("dtype").string()
    guard let width = widths[dtype] else {
      throw OrionError(
        .file, "\(path): tensor \(name) is \(dtype); expected F32, F16 or BF16")
    }
    var shape: [Int] = []
    var size = width
    for axis in try row.required("shape").elements() {
      let length = try axis.integer(0...Manifest.countMax)
      shape.append(length)
      let (product, overflows) = size.multipliedReportingOverflow(by: length)
      size = overflows ? -1 : product
      guard size >= 0 else { break }
    }
    let offsets = try Manifest.list(row.required("data_offsets")) { field throws(OrionError) in
      try field.integer(0...count)
    }
    guard offsets.count == 2, size >= 0, offsets[1] - offsets[0] == size else {
      throw OrionError(
        .file,
        "\(path): tensor \(name) \(shape) of \(dtype) does not fit its bytes \(offsets); write the"
          + " file again")
    }
    return Tensor(
      name: name, dtype: dtype, shape: shape, range: start + offsets[0]..<start + offsets[1])
  }

  /// The tensor's numbers, row-major, as fp32. OrionError when one is not finite.
  func floats(_ tensor: Tensor) throws(OrionError) -> [Float] {
    let count = tensor.range.count / (Safetensors.widths[tensor.dtype] ?? 4)
    var values = [Float](repeating: 0, count: count)
    // A copy, because a file's offsets need not be aligned.
    let source = Array(bytes[tensor.range])
    source.withUnsafeBytes { source in
      values.withUnsafeMutableBufferPointer { values in
        guard let target = values.baseAddress, let from = source.baseAddress else { return }
        let halves = from.assumingMemoryBound(to: UInt16.self)
        switch tensor.dtype {
        case "F16": orion_f16_to_f32(halves, target, count)
        case "BF16": orion_bf16_to_f32(halves, target, count)
        default: memcpy(target, from, source.count)
        }
      }
    }
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw OrionError(
        .file, "\(path): tensor \(tensor.name) holds \(values[index]) at element \(index)")
    }
    return values
  }
}

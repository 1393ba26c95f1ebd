/// Finds the constants of plans: in a pack, in the text, or in weight files.
import CKernels

extension ConstantMemory {
  /// Constants of the text are laid out here; all others are in the pack.
  convenience init(
    _ plan: Plan, layout: PackLayout, pack: PackedWeights?
  ) throws(EngineError) {
    var addresses: [UnsafeRawPointer] = []
    var owners: [AnyObject] = []
    if let pack { owners.append(pack) }
    let inText = plan.requests.filter(\.isInText)
    let memory = try OwnedMemory(inText.reduce(0) { $0 + PackLayout.aligned($1.byteCount) })
    owners.append(memory)
    var next = memory.address
    for request in plan.requests {
      if let offset = layout.offsets[request], let address = pack?.address(offset) {
        addresses.append(address)
        continue
      }
      addresses.append(UnsafeRawPointer(next))
      if case .bytes(let bytes) = request.source, bytes.count >= request.contentByteCount {
        bytes.withUnsafeBytes { request.write($0, to: next) }
      }
      next += PackLayout.aligned(request.byteCount)
    }
    self.init(addresses: addresses, owners: owners)
  }
}

/// The weight files of a model's directory, each mapped once.
struct WeightFiles {
  private var directory: ModelDirectory

  init(modelDirectory: String) { directory = ModelDirectory(path: modelDirectory) }

  /// The bytes behind each request; they live as long as this value.
  mutating func contents(
    _ requests: [ConstantRequest]
  ) throws(EngineError) -> [UnsafeRawBufferPointer] {
    var result: [UnsafeRawBufferPointer] = []
    for request in requests {
      guard case .blob(let path, let offset) = request.source else { continue }
      do throws(Diagnostic) {
        guard let file = try directory.file(at: path) else { continue }
        result.append(try file.bytes(at: offset, as: request.type))
      } catch {
        throw .program(DiagnosticList([error]))
      }
    }
    return result
  }
}

/// Finds the constants of plans: in packed memory, in the text, or in weight files.
import ANEProfiles
import CKernels

extension ConstantMemory {
  /// Constants of the text are laid out here; all others lie at `packed` as `layout` says, as long as
  /// `owner` lives.
  convenience init(
    _ plan: Plan, layout: PackLayout, packed: UnsafeRawPointer? = nil, owner: AnyObject? = nil
  ) throws(EngineError) {
    var addresses: [UnsafeRawPointer] = []
    var owners: [AnyObject] = []
    if let owner { owners.append(owner) }
    let inText = plan.requests.filter(\.isInText)
    let memory = try OwnedMemory(inText.reduce(0) { $0 + PackLayout.aligned($1.byteCount) })
    owners.append(memory)
    var next = memory.address
    for request in plan.requests {
      if let offset = layout.offsets[request], let packed {
        addresses.append(packed + offset)
        continue
      }
      addresses.append(UnsafeRawPointer(next))
      let parts = request.content.parts.map { TextBytes($0.source) }
      withExtendedLifetime(parts) { request.write(parts.map(\.bytes), to: next) }
      next += PackLayout.aligned(request.byteCount)
    }
    self.init(addresses: addresses, owners: owners)
  }
}

/// The bytes of a constant of the text, at one place; none for other constants.
private final class TextBytes {
  let bytes: UnsafeRawBufferPointer

  init(_ source: ConstantSource) {
    guard case .bytes(let content) = source else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let copy = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(content.count, 1), alignment: 64)
    copy.copyBytes(from: content)
    bytes = UnsafeRawBufferPointer(rebasing: copy.prefix(content.count))
  }

  deinit { bytes.deallocate() }
}

/// The weight files of a model's directory, each mapped once.
struct WeightFiles {
  private var directory: ModelDirectory
  private var texts: [TextBytes] = []

  init(modelDirectory: String, profile: Profile) {
    directory = ModelDirectory(path: modelDirectory, readsBlindly: profile.readsBlindly)
  }

  /// The bytes of the parts of each request; they live as long as this value.
  mutating func contents(
    _ requests: [ConstantRequest]
  ) throws(EngineError) -> [[UnsafeRawBufferPointer]] {
    var result: [[UnsafeRawBufferPointer]] = []
    for request in requests {
      var parts: [UnsafeRawBufferPointer] = []
      for part in request.content.parts { parts.append(try bytes(part)) }
      result.append(parts)
    }
    return result
  }

  private mutating func bytes(
    _ part: ConstantContent.Part
  ) throws(EngineError) -> UnsafeRawBufferPointer {
    guard case .blob(let path, let offset) = part.source else {
      texts.append(TextBytes(part.source))
      return texts[texts.count - 1].bytes
    }
    do throws(Diagnostic) {
      guard let bytes = try directory.bytes(at: path, offset: offset, as: part.type) else {
        throw Diagnostic("no weight file \(path) is at hand", rule: "blob")
      }
      return bytes
    } catch {
      throw .program(DiagnosticList([error]))
    }
  }
}

extension Profile {
  var readsBlindly: Bool { conduct.blobOffset == .blind }
}

/// CFData: immutable bytes.

final class DataObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFData" }

  let bytes: Pointer
  let count: Int

  init(copying source: UnsafeRawBufferPointer, world: World?) {
    count = source.count
    bytes = Pointer.allocate(byteCount: max(source.count, 1), alignment: 16)
    bytes.copyMemory(from: source.baseAddress ?? UnsafeRawPointer(bytes), byteCount: source.count)
    super.init(isa: FoundationClasses.named("__NSCFData"), world: world)
  }

  private var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }

  override func isEqual(to other: Instance) -> Bool {
    (other as? DataObject)?.buffer.elementsEqual(buffer) ?? false
  }
  override var descriptionText: String { "{length = \(count)}" }
  override func dispose() { bytes.deallocate() }
}

enum DataFunctions {
  static let symbols = [
    Symbol("CFDataGetTypeID", { TypeIDs.data } as CoreFoundation.TypeID),
    Symbol(
      "CFDataCreate",
      { allocator, bytes, count in
        let call = Call("CFDataCreate")
        guard CoreFoundation.checkAllocator(allocator, call) else { return nil }
        guard count >= 0, bytes != nil || count == 0 else {
          call.misuse("\(count) bytes at \(bytes.map { "\($0)" } ?? "NULL")")
          return nil
        }
        let source = UnsafeRawBufferPointer(start: bytes, count: count)
        return DataObject(copying: source, world: ThreadState.current.world).address
      } as @convention(c) (Pointer?, UnsafePointer<UInt8>?, Int) -> Pointer?),
    Symbol(
      "CFDataGetBytePtr",
      { id in
        Call("CFDataGetBytePtr").object(id, as: "theData", DataObject.self)?.bytes
      } as CoreFoundation.One),
    Symbol(
      "CFDataGetLength",
      { id in
        Call("CFDataGetLength").object(id, as: "theData", DataObject.self)?.count ?? 0
      } as CoreFoundation.Length),
  ]
}

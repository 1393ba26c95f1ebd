/// What the states of a loaded function hold between its runs; zeros at first.
import Synchronization

final class StateMemory: @unchecked Sendable {
  private let types: [TensorType]
  /// The states that a run writes, by number.
  private let written: [Int]
  /// Made when first needed.
  private let memories = Mutex<[OwnedMemory]>([])

  init(_ states: [CheckedState]) {
    types = states.map(\.type)
    written = states.indices.filter { states[$0].output != nil }
  }

  /// Keeps others away while a run reads the states and writes them.
  func hold(
    _ body: (_ before: [MemoryView], _ after: [MemoryView]) throws(EngineError) -> Void
  ) throws(EngineError) {
    try withMemories { (memories) throws(EngineError) in
      let views = zip(types, memories).map { type, memory in
        MemoryView(
          address: memory.address,
          rowBytes: (type.shape.last ?? 1) * (type.dtype.bitWidth ?? 8) / 8)
      }
      try body(views, written.map { views[$0] })
    }
  }

  func reset() throws(EngineError) {
    try withMemories { memories in
      for (type, memory) in zip(types, memories) {
        memory.address.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(type))
      }
    }
  }

  func access(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(EngineError) {
    try withMemories { memories in
      body(
        UnsafeMutableRawBufferPointer(
          start: memories[index].address, count: Self.bytes(types[index])))
    }
  }

  private func withMemories(
    _ body: ([OwnedMemory]) throws(EngineError) -> Void
  ) throws(EngineError) {
    let result = memories.withLock { memories in
      Result { () throws(EngineError) in
        if memories.count < types.count {
          var fresh: [OwnedMemory] = []
          for type in types {
            let memory = try OwnedMemory(Self.bytes(type))
            memory.address.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(type))
            fresh.append(memory)
          }
          memories = fresh
        }
        try body(memories)
      }
    }
    try result.get()
  }

  private static func bytes(_ type: TensorType) -> Int { type.packedSize?.bytes ?? 0 }
}

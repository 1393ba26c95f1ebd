/// What the states of a loaded function hold between its runs; zeros at first.
import Synchronization

final class StateMemory: @unchecked Sendable {
  private let types: [TensorType]
  /// The states that a run writes, by number.
  private let written: [Int]
  private let held = Mutex(Held())

  private struct Held {
    /// Made when first needed.
    var memories: [OwnedMemory] = []
    /// What a run is given, kept so that the next one allocates nothing.
    var inputs: [MemoryView] = []
    var outputs: [MemoryView] = []
  }

  init(_ states: [CheckedState]) {
    types = states.map(\.type)
    written = states.indices.filter { states[$0].output != nil }
  }

  /// Keeps others away while a run reads the states, behind its inputs, and writes them, behind its outputs.
  func hold(
    beside inputs: [MemoryView], _ outputs: [MemoryView],
    _ body: (_ inputs: [MemoryView], _ outputs: [MemoryView]) throws(EngineError) -> Void
  ) throws(EngineError) {
    try withHeld { (held) throws(EngineError) in
      held.inputs.removeAll(keepingCapacity: true)
      held.outputs.removeAll(keepingCapacity: true)
      held.inputs.append(contentsOf: inputs)
      held.outputs.append(contentsOf: outputs)
      for state in types.indices { held.inputs.append(view(state, held)) }
      for state in written { held.outputs.append(view(state, held)) }
      try body(held.inputs, held.outputs)
    }
  }

  func reset() throws(EngineError) {
    try withHeld { held in
      for (type, memory) in zip(types, held.memories) {
        memory.address.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(type))
      }
    }
  }

  func access(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(EngineError) {
    try withHeld { held in
      body(
        UnsafeMutableRawBufferPointer(
          start: held.memories[index].address, count: Self.bytes(types[index])))
    }
  }

  private func view(_ state: Int, _ held: Held) -> MemoryView {
    let type = types[state]
    return MemoryView(
      address: held.memories[state].address,
      rowBytes: (type.shape.last ?? 1) * (type.dtype.bitWidth ?? 8) / 8)
  }

  private func withHeld(
    _ body: (inout sending Held) throws(EngineError) -> Void
  ) throws(EngineError) {
    let result = held.withLock { held in
      Result { () throws(EngineError) in
        if held.memories.count < types.count {
          var fresh: [OwnedMemory] = []
          for type in types {
            let memory = try OwnedMemory(Self.bytes(type))
            memory.address.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(type))
            fresh.append(memory)
          }
          held.memories = fresh
        }
        try body(&held)
      }
    }
    try result.get()
  }

  private static func bytes(_ type: TensorType) -> Int { type.packedSize?.bytes ?? 0 }
}

import CKernels
import MILEngine

/// The programs that make logits of hidden states, a group of columns at a time. It knows no step.
final class HeadRunner {
  private let columns: Int
  private let vocabulary: Int
  private var programs: [BoundProgram]
  /// Where each program takes the hidden state.
  private let hiddenInputs: [(program: Int, input: Int)]
  private let tiles: [(first: Int, storage: any TensorStorage)]
  /// Columns of steps of another width are gathered here.
  private let gathered: any TensorStorage
  private let halves: UnsafeMutablePointer<UInt16>

  init(of model: ModelParts) throws(OrionError) {
    let manifest = model.bundle.manifest
    var programs: [BoundProgram] = []
    var hiddenInputs: [(program: Int, input: Int)] = []
    var tiles: [(first: Int, storage: any TensorStorage)] = []
    var gathered: (any TensorStorage)?
    for index in manifest.head.programs {
      let row = manifest.programs[index]
      let program = try model.shelf.program(index)
      var inputs: [any TensorStorage] = []
      for (number, port) in program.inputs.enumerated() {
        let storage =
          if let gathered { gathered } else {
            try model.backend.makeStorage(port.layout)
          }
        guard storage.layout == port.layout else {
          throw OrionError(
            .device,
            "program \"\(row.name)\", input \"\(port.name)\": the device wants \(port.layout.text)"
              + " here and \(storage.layout.text) in the head's first program")
        }
        gathered = storage
        inputs.append(storage)
        hiddenInputs.append((programs.count, number))
      }
      var outputs: [any TensorStorage] = []
      for port in program.outputs {
        let storage = try model.backend.makeStorage(port.layout)
        outputs.append(storage)
        guard case .logits(let first)? = row.role(ofOutput: port.name)
        else { continue }
        tiles.append((first, storage))
      }
      programs.append(
        BoundProgram(name: row.name, program: program, inputs: inputs, outputs: outputs))
    }
    guard let gathered else { throw OrionError(.internal, "the head takes no hidden state") }
    self.gathered = gathered
    self.programs = programs
    self.hiddenInputs = hiddenInputs
    self.tiles = tiles
    columns = manifest.head.columns
    vocabulary = manifest.vocabulary
    halves = .allocate(capacity: manifest.vocabulary)
  }

  deinit { halves.deallocate() }

  /// Writes one row of logits for each of the columns `range` of `hidden`.
  func run(
    _ hidden: any TensorStorage, columns range: Range<Int>, into rows: UnsafeMutablePointer<Float>,
    _ cancellation: Cancellation
  ) throws(OrionError) {
    if hidden.layout == gathered.layout {
      try evaluate(hidden, cancellation)
      return try read(range, into: rows)
    }
    for first in stride(from: range.lowerBound, to: range.upperBound, by: columns) {
      let count = min(columns, range.upperBound - first)
      try hidden.withAddress { from throws(OrionError) in
        try gathered.withAddress { to throws(OrionError) in
          PositionView(to, gathered.layout, axis: 3).copy(
            count, from: PositionView(from, hidden.layout, axis: 3), at: first, to: 0)
        }
      }
      try evaluate(gathered, cancellation)
      try read(0..<count, into: rows + (first - range.lowerBound) * vocabulary)
    }
  }

  /// How many columns of `hidden` one run of the programs takes.
  func width(of hidden: any TensorStorage) -> Int {
    hidden.layout == gathered.layout ? hidden.layout.shape[3] : columns
  }

  private func evaluate(_ hidden: any TensorStorage, _ cancellation: Cancellation)
    throws(OrionError)
  {
    for place in hiddenInputs where programs[place.program].inputs[place.input] !== hidden {
      programs[place.program].inputs[place.input] = hidden
    }
    for program in programs {
      try cancellation.check()
      try program.evaluate()
    }
  }

  private func read(_ range: Range<Int>, into rows: UnsafeMutablePointer<Float>)
    throws(OrionError)
  {
    for tile in tiles {
      let layout = tile.storage.layout
      try tile.storage.withAddress { address throws(OrionError) in
        for column in range {
          let target = rows + (column - range.lowerBound) * vocabulary + tile.first
          gather(address, column, layout, target)
        }
      }
    }
  }

  /// The channels of one column, as fp32.
  private func gather(
    _ address: UnsafeMutableRawPointer, _ column: Int, _ layout: Layout,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let channels = layout.shape[1]
    let stride = layout.rowBytes
    if layout.dtype == .fp16 {
      let source = address + column * 2
      for channel in 0..<channels {
        halves[channel] = source.load(fromByteOffset: channel * stride, as: UInt16.self)
      }
      orion_f16_to_f32(halves, target, channels)
    } else {
      let source = address + column * 4
      if stride == 4 {
        // One column, whose channels follow each other.
        return target.update(from: source.assumingMemoryBound(to: Float.self), count: channels)
      }
      for channel in 0..<channels {
        target[channel] = source.load(fromByteOffset: channel * stride, as: Float.self)
      }
    }
  }
}

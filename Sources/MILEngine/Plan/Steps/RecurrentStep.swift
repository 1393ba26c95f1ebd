/// One pass of a recurrent layer over its sequence, in fp32; results are rounded at the end.
import CKernels

struct RecurrentStep: Step {
  let shape: RecurrentShape
  /// Which part of the state's width is this pass's.
  let pass: Int
  let isReversed: Bool
  let x: Place
  /// What the state, and the memory of an `lstm`, start with.
  let initial: [Place]
  let inputWeights: Place
  let stateWeights: Place
  let bias: Place?
  let inputBias: Place?
  let peephole: Place?
  /// The sequence, the last state, and the last memory.
  let outputs: [Place]
  let scratch: Place
  let isHalf: Bool

  var reads: [Int] {
    [x.buffer, inputWeights.buffer, stateWeights.buffer] + initial.map(\.buffer)
      + [bias, inputBias, peephole].compactMap { $0?.buffer }
  }
  var writes: [Int] { outputs.map(\.buffer) + [scratch.buffer] }

  /// Sums of the inputs for all steps, sums of the state for one, the state, the memory, and the state
  /// after its reset.
  static func scratchCount(_ shape: RecurrentShape) -> Int {
    let row = shape.batch * shape.gates * shape.hidden
    return shape.length * row + row + 3 * shape.batch * shape.hidden
  }

  /// Where things lie during a pass.
  private struct Memory {
    let sums: UnsafeMutablePointer<Float>
    let recurrent: UnsafeMutablePointer<Float>
    let state: UnsafeMutablePointer<Float>
    let memory: UnsafeMutablePointer<Float>
    let reset: UnsafeMutablePointer<Float>
    let weights: UnsafeMutablePointer<Float>
    let bias: UnsafeMutablePointer<Float>?
    let inputBias: UnsafeMutablePointer<Float>?
    let peephole: UnsafeMutablePointer<Float>?
  }

  func run(_ frame: Frame) {
    let (batch, hidden) = (shape.batch, shape.hidden)
    let row = batch * shape.gates * hidden
    let sums = frame.floats(scratch)
    let recurrent = sums + shape.length * row
    let memory = Memory(
      sums: sums, recurrent: recurrent, state: recurrent + row,
      memory: recurrent + row + batch * hidden, reset: recurrent + row + 2 * batch * hidden,
      weights: frame.floats(stateWeights), bias: bias.map(frame.floats),
      inputBias: inputBias.map(frame.floats), peephole: peephole.map(frame.floats))
    for (place, target) in zip(initial, [memory.state, memory.memory]) {
      copy(from: frame.floats(place) + pass * hidden, stride: shape.width, to: target)
    }
    product(
      frame.floats(x), rows: shape.length * batch, inner: shape.inputs,
      frame.floats(inputWeights), outputs: shape.gates * hidden, sums)
    for index in 0..<shape.length {
      if frame.control.mustStop { return }
      let time = isReversed ? shape.length - 1 - index : index
      step(memory, sums + time * row)
      if shape.givesSequence {
        store(memory.state, frame.floats(outputs[0]) + time * batch * shape.width)
      }
    }
    if !shape.givesSequence { store(memory.state, frame.floats(outputs[0])) }
    for (source, place) in zip([memory.state, memory.memory], outputs.dropFirst()) {
      store(source, frame.floats(place))
    }
  }

  private func step(_ memory: Memory, _ sums: UnsafeMutablePointer<Float>) {
    let (batch, hidden) = (shape.batch, shape.hidden)
    product(
      memory.state, rows: batch, inner: hidden, memory.weights, outputs: shape.gates * hidden,
      memory.recurrent)
    for line in 0..<batch {
      let x = sums + line * shape.gates * hidden
      let h = memory.recurrent + line * shape.gates * hidden
      let (state, cell) = (memory.state + line * hidden, memory.memory + line * hidden)
      switch shape.kind {
      case .plain:
        for unit in 0..<hidden {
          state[unit] = shape.activation(x[unit] + h[unit] + (memory.bias?[unit] ?? 0))
        }
      case .memory: remember(memory, x, h, state, cell)
      case .gated: break
      }
    }
    if shape.kind == .gated { gated(memory, sums) }
  }

  /// Gates in the order input, forget, output, cell.
  private func remember(
    _ memory: Memory, _ x: UnsafePointer<Float>, _ h: UnsafePointer<Float>,
    _ state: UnsafeMutablePointer<Float>, _ cell: UnsafeMutablePointer<Float>
  ) {
    let hidden = shape.hidden
    for unit in 0..<hidden {
      func sum(_ gate: Int) -> Float {
        let place = gate * hidden + unit
        return x[place] + h[place] + (memory.bias?[place] ?? 0)
      }
      func peep(_ gate: Int, _ value: Float) -> Float {
        memory.peephole.map { $0[gate * hidden + unit] * value } ?? 0
      }
      let old = cell[unit]
      let input = shape.gate(sum(0) + peep(0, old))
      let forget = shape.gate(sum(1) + peep(1, old))
      var fresh = shape.cell(sum(3))
      if let clip = shape.clip { fresh = max(-clip, min(clip, fresh)) }
      let next = forget * old + input * fresh
      let output = shape.gate(sum(2) + peep(2, next))
      cell[unit] = next
      state[unit] = output * shape.activation(next)
    }
  }

  /// Gates in the order reset, output, update.
  private func gated(_ memory: Memory, _ sums: UnsafeMutablePointer<Float>) {
    let (batch, hidden) = (shape.batch, shape.hidden)
    func sum(_ line: Int, _ place: Int) -> Float {
      let offset = line * 3 * hidden + place
      return sums[offset] + memory.recurrent[offset] + (memory.bias?[place] ?? 0)
        + (memory.inputBias?[place] ?? 0)
    }
    for line in 0..<batch {
      for unit in 0..<hidden {
        let reset = shape.gate(sum(line, unit))
        memory.reset[line * hidden + unit] =
          shape.resetsAfter ? reset : reset * memory.state[line * hidden + unit]
      }
    }
    // The sums of the state for the output gate are made anew from the state after its reset.
    let outputs = memory.recurrent + hidden
    if !shape.resetsAfter {
      product(
        memory.reset, rows: batch, inner: hidden, memory.weights + hidden * hidden,
        outputs: hidden, outputs, rowLength: 3 * hidden)
    }
    for line in 0..<batch {
      for unit in 0..<hidden {
        let (place, element) = (line * 3 * hidden + hidden + unit, line * hidden + unit)
        let bias = memory.bias?[hidden + unit] ?? 0
        let input = sums[place] + (memory.inputBias?[hidden + unit] ?? 0)
        let recurrent = memory.recurrent[place] + bias
        let output = shape.activation(
          input + (shape.resetsAfter ? memory.reset[element] * recurrent : recurrent))
        let update = shape.gate(sum(line, 2 * hidden + unit))
        memory.state[element] = (1 - update) * output + update * memory.state[element]
      }
    }
  }

  /// target[r][o] = sum of x[r][k] weights[o][k]
  private func product(
    _ x: UnsafePointer<Float>, rows: Int, inner: Int, _ weights: UnsafePointer<Float>,
    outputs: Int, _ target: UnsafeMutablePointer<Float>, rowLength: Int? = nil
  ) {
    var zero = 0
    withUnsafePointer(to: &zero) { zero in
      var arguments = orion_matmul_args(
        m: rows, n: outputs, k: inner, batch: 1, a_offsets: zero, b_offsets: zero,
        c_offsets: zero, a: x, a_row: inner, a_column: 1, b: weights, b_row: 1, b_column: inner,
        c: target, c_row: rowLength ?? outputs, rounding: ORION_ROUND_NONE, mac_limit: 0)
      orion_matmul(&arguments)
    }
  }

  private func copy(
    from source: UnsafePointer<Float>, stride: Int, to target: UnsafeMutablePointer<Float>
  ) {
    for line in 0..<shape.batch {
      (target + line * shape.hidden).update(from: source + line * stride, count: shape.hidden)
    }
  }

  /// Puts the pass's state into its part of the width.
  private func store(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    for line in 0..<shape.batch {
      let place = target + line * shape.width + pass * shape.hidden
      place.update(from: source + line * shape.hidden, count: shape.hidden)
      if isHalf { orion_round_f16(place, place, shape.hidden) }
    }
  }
}

/// Steps that run blocks: one of two, or one again and again.

/// The results of the first block where the predicate holds, else of the second.
struct BranchStep: Step {
  let predicate: Place
  let branches: [NestedPlan]
  /// For each branch the places of its inputs.
  let inputs: [[Place]]
  let targets: [View]

  var reads: [Int] {
    [predicate.buffer] + inputs.joined().map(\.buffer) + branches.flatMap(\.reads)
  }
  var writes: [Int] { targets.map(\.buffer) + branches.flatMap(\.writes) }

  func run(_ frame: Frame) {
    let chosen = frame.words(predicate).pointee != 0 ? 0 : 1
    branches[chosen].run(frame, inputs: inputs[chosen]) { outputs in
      for (output, target) in zip(outputs, targets) {
        frame.address(target.place).copyMemory(from: output, byteCount: 4 * target.count)
      }
    }
  }
}

/// Runs the body as long as the condition holds. The variables stand in one of two sets of memory: the
/// body reads one and writes the other.
struct LoopStep: Step {
  /// A loop that is still not done after this many rounds is given up.
  static let roundsMax = 1 << 24

  let condition: NestedPlan
  let body: NestedPlan
  /// What the blocks take from outside, behind the variables.
  let conditionCaptures: [Place]
  let bodyCaptures: [Place]
  /// Hold the first values, and at the end the last.
  let variables: [View]
  let others: [View]
  let roundsMax: Int

  var reads: [Int] {
    (variables + others).map(\.buffer) + (conditionCaptures + bodyCaptures).map(\.buffer)
      + condition.reads + body.reads
  }
  var writes: [Int] { (variables + others).map(\.buffer) + condition.writes + body.writes }

  func run(_ frame: Frame) {
    var (now, next) = (variables, others)
    var rounds = 0
    while holds(frame, now), !frame.control.mustStop {
      guard rounds < roundsMax else {
        frame.control.fail(
          "a loop was not done after \(roundsMax) rounds; its condition still holds")
        break
      }
      body.run(frame, inputs: now.map(\.place) + bodyCaptures) { outputs in
        for (output, target) in zip(outputs, next) {
          frame.address(target.place).copyMemory(from: output, byteCount: 4 * target.count)
        }
      }
      swap(&now, &next)
      rounds += 1
    }
    guard rounds % 2 == 1 else { return }
    for (from, to) in zip(others, variables) {
      frame.address(to.place).copyMemory(from: frame.address(from.place), byteCount: 4 * to.count)
    }
  }

  private func holds(_ frame: Frame, _ now: [View]) -> Bool {
    var holds = false
    condition.run(frame, inputs: now.map(\.place) + conditionCaptures) { outputs in
      holds = outputs[0].load(as: UInt32.self) != 0
    }
    return holds
  }
}

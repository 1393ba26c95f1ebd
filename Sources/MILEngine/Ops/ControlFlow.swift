/// Ops that run blocks, and ops on states.

extension OpTable {
  static let controlFlow: [OpRow] = [branch, loop, readState, writeState, updateState]

  private static let branch = OpRow(
    "cond", [.value("pred")], blocks: 2,
    infer: { context throws(Diagnostic) in
      try context.checkTruth(context.type("pred"), "`pred`")
      let (first, second) = (context.blocks[0], context.blocks[1])
      try context.compare(first.outputs, second.outputs, "the two blocks give")
      return first.outputs
    },
    lower: { lowering, node throws(Diagnostic) in
      let predicate = try lowering.denseView(lowering.required(node, "pred"))
      var branches: [NestedPlan] = []
      var inputs: [[Place]] = []
      for block in node.blocks {
        inputs.append(try lowering.places(block.captures))
        branches.append(try NestedPlan(block.function, in: &lowering))
      }
      let targets = node.outputs.map { lowering.newView(lowering.type($0).shape) }
      for (output, target) in zip(node.outputs, targets) { lowering.define(output, target) }
      lowering.emit(
        BranchStep(
          predicate: predicate.place, branches: branches, inputs: inputs, targets: targets))
    })

  /// The first block is the condition, the second the body.
  private static let loop = OpRow(
    "while_loop", [.list("loop_vars")], blocks: 2,
    infer: { context throws(Diagnostic) in
      let variables = context.types["loop_vars"] ?? []
      let (condition, body) = (context.blocks[0], context.blocks[1])
      let kinds = [("condition's", condition), ("body's", body)]
      for (owner, block) in kinds {
        try context.compare(
          variables, Array(block.inputs.prefix(variables.count)),
          "the loop's variables and the \(owner) parameters are")
      }
      guard condition.outputs.count == 1 else {
        throw context.fault(
          "the condition must give one bool; it gives \(condition.outputs.count) values")
      }
      try context.checkTruth(condition.outputs[0], "what the condition gives")
      try context.compare(variables, body.outputs, "the loop's variables are, and the body gives")
      return variables
    },
    lower: { lowering, node throws(Diagnostic) in
      let values = node.operands["loop_vars"]?.ids ?? []
      var variables: [View] = []
      for value in values {
        let target = lowering.newView(lowering.type(value).shape)
        lowering.write(.view(try lowering.view(value)), to: target)
        variables.append(target)
      }
      let others = variables.map { lowering.newView($0.shape) }
      let captures = try node.blocks.map { (block) throws(Diagnostic) in
        try lowering.places(block.captures)
      }
      let condition = try NestedPlan(node.blocks[0].function, in: &lowering)
      let body = try NestedPlan(node.blocks[1].function, in: &lowering)
      for (output, view) in zip(node.outputs, variables) { lowering.define(output, view) }
      lowering.emit(
        LoopStep(
          condition: condition, body: body, conditionCaptures: captures[0],
          bodyCaptures: captures[1], variables: variables, others: others,
          roundsMax: LoopStep.roundsMax))
    })

  private static let readState = OpRow(
    "read_state", [.value("input")],
    infer: { context throws(Diagnostic) in [try context.type("input")] },
    lower: { lowering, node throws(Diagnostic) in
      lowering.define(node.outputs[0], try lowering.form(lowering.required(node, "input")))
    })

  private static let writeState = OpRow(
    "write_state", [.value("input"), .value("data")], isSilent: true,
    infer: { context throws(Diagnostic) in [try context.written("data", to: "input")] },
    lower: { lowering, node throws(Diagnostic) in
      lowering.define(node.outputs[0], try lowering.form(lowering.required(node, "data")))
    })

  /// Writes, and gives what was written.
  private static let updateState = OpRow(
    "coreml_update_state", [.value("state"), .value("value")],
    infer: { context throws(Diagnostic) in [try context.written("value", to: "state")] },
    lower: { lowering, node throws(Diagnostic) in
      lowering.define(node.outputs[0], try lowering.form(lowering.required(node, "value")))
    })
}

extension InferenceContext {
  fileprivate func checkTruth(_ type: TensorType, _ name: String) throws(Diagnostic) {
    guard type.dtype == .bool, type.elementCount == 1 else {
      throw fault("\(name) must be one bool; it is \(type.text)")
    }
  }

  /// Compares two lists of types; `what` says what each is.
  fileprivate func compare(
    _ left: [TensorType], _ right: [TensorType], _ what: String
  ) throws(Diagnostic) {
    guard left == right else {
      let texts = [left, right].map { "(" + $0.map(\.text).joined(separator: ", ") + ")" }
      throw fault("\(what) \(texts[0]) and \(texts[1]); they must be alike")
    }
  }

  fileprivate func written(_ value: String, to state: String) throws(Diagnostic) -> TensorType {
    let (held, given) = (try type(state), try type(value))
    guard held == given else {
      throw fault("the state holds \(held.text), but `\(value)` is \(given.text)")
    }
    return held
  }
}

extension Lowering {
  /// Where some values lie, each without gaps.
  mutating func places(_ values: [ValueID]) throws(Diagnostic) -> [Place] {
    var places: [Place] = []
    for value in values { places.append(try denseView(value).place) }
    return places
  }
}

/// Rules about weight files, as far as the text tells.

extension RuleCheck {
  static let weightChecks: [RuleCheck] = [
    RuleCheck(id: "blob-offset", run: doubtfulOffsets),
    RuleCheck(id: "weights-baked", isAboutUse: true, run: bakedWeights),
    RuleCheck(id: "weights-dictionary", isAboutUse: true, run: noWeights),
    RuleCheck(id: "address-space", run: largePrograms),
    RuleCheck(id: "working-set", run: largeSets),
  ]

  private static let header: UInt64 = 64

  /// Offsets that cannot name a record, and files that nobody reads from their first record on.
  private static func doubtfulOffsets(_ subject: RuleSubject) -> [RuleFinding] {
    var files: [String: [(value: Value, offset: UInt64)]] = [:]
    for value in subject.functions.flatMap(\.checked.values) {
      guard case .blob(let path, let offset) = value.constant else { continue }
      files[path, default: []].append((value, offset))
    }
    return files.values.flatMap { uses in
      let wrong = uses.filter { $0.offset < header || $0.offset % header != 0 }.map { use in
        RuleFinding(
          "`\(use.value.name)` is read at \(use.offset), which names no record; records start at"
            + " multiples of 64 from 64 on", at: use.value.span)
      }
      guard let first = uses.min(by: { $0.offset < $1.offset }), first.offset == 2 * header else {
        return wrong
      }
      return wrong + [
        RuleFinding(
          "`\(first.value.name)` is read at 128, where the data of the first record starts; the"
            + " record itself is at 64", at: first.value.span, atMost: .warning)
      ]
    }
  }

  private static func bakedWeights(_ subject: RuleSubject) -> [RuleFinding] {
    guard let (_, value) = subject.blobs.first else { return [] }
    return [
      RuleFinding(
        "`\(value.name)` is read from its file when the program is compiled; what is written there"
          + " later changes nothing", at: value.span)
    ]
  }

  private static func noWeights(_ subject: RuleSubject) -> [RuleFinding] {
    guard subject.blobs.isEmpty, let function = subject.functions.first else { return [] }
    return [
      RuleFinding("the program names no weight file", at: function.syntax.span)
    ]
  }

  /// Weights and surfaces of one function together, as the engine addresses them.
  private static func largePrograms(_ subject: RuleSubject) -> [RuleFinding] {
    let limits = subject.profile.limits
    return subject.functions.compactMap { function in
      let surfaces = function.ports.reduce(0) {
        $0 &+ SurfaceSize($1.value.type, limits.rowAlignmentBytes).byteCount
      }
      let bytes = surfaces &+ function.constantBytes
      guard bytes > limits.addressSpaceBytes else { return nil }
      return RuleFinding(
        "weights and surfaces of `\(function.syntax.name)` take \(bytes) bytes, expected at most"
          + " \(limits.addressSpaceBytes)", at: function.syntax.span)
    }
  }

  private static func largeSets(_ subject: RuleSubject) -> [RuleFinding] {
    let cost = subject.profile.cost
    return subject.functions.flatMap { function in
      var found: [RuleFinding] = []
      let large = function.statements.first { $0.largestOperandBytes > cost.opBytesMax }
      if let large {
        found.append(
          RuleFinding(
            "an operand of `\(large.op)` takes \(large.largestOperandBytes) bytes, more than the"
              + " \(cost.opBytesMax) that an op has at hand", at: large.operation.opSpan))
      }
      let results =
        function.statements.flatMap(\.outputs)
        + function.checked.inputs.map {
          function.checked.values[$0]
        }
      let bytes = results.reduce(function.constantBytes) {
        $0 &+ FunctionTraits.bytes(of: $1.type)
      }
      if bytes > cost.programBytesMax {
        found.append(
          RuleFinding(
            "`\(function.syntax.name)` touches \(bytes) bytes, more than the"
              + " \(cost.programBytesMax) that a program has at hand", at: function.syntax.span))
      }
      return found
    }
  }
}

extension RuleSubject {
  /// Constants that lie in weight files.
  fileprivate var blobs: [(path: String, value: Value)] {
    functions.flatMap(\.checked.values).compactMap { value in
      guard case .blob(let path, _) = value.constant else { return nil }
      return (path, value)
    }
  }
}

extension RuleFunction {
  /// Bytes of the constants that ops read.
  fileprivate var constantBytes: Int {
    let read = Set(checked.nodes.flatMap { $0.operands.values.flatMap(\.ids) })
    return read.filter { checked.values[$0].constant != nil }.reduce(0) {
      $0 &+ FunctionTraits.bytes(of: checked.values[$1].type)
    }
  }
}

extension RuleStatement {
  /// Of what it reads and gives.
  fileprivate var largestOperandBytes: Int {
    (operands.map(\.value) + outputs).map { FunctionTraits.bytes(of: $0.type) }.max() ?? 0
  }
}

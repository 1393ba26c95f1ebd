/// Rules about a program as a whole: its dialect, files, inputs and outputs.

extension RuleCheck {
  static let programChecks: [RuleCheck] = [
    RuleCheck(id: "dialect", run: otherDialects),
    RuleCheck(id: "fp32-io", run: widePorts),
    RuleCheck(id: "blob-files", run: manyFiles),
    RuleCheck(id: "live-outputs", run: deadOutputs),
    RuleCheck(id: "sole-identity", run: soleIdentities),
  ]

  private static func otherDialects(_ subject: RuleSubject) -> [RuleFinding] {
    let wanted = subject.profile.dialect
    return subject.functions.map(\.syntax)
      .filter { subject.tree.version != wanted.program || $0.opset != wanted.opset }
      .map {
        RuleFinding(
          "`\($0.name)` is in program(\(subject.tree.version)) with \($0.opset), expected"
            + " program(\(wanted.program)) with \(wanted.opset)", at: $0.span)
      }
  }

  private static func widePorts(_ subject: RuleSubject) -> [RuleFinding] {
    let works = subject.profile.limits.takesFloat32IO
    return subject.functions.flatMap(\.ports)
      .filter { $0.value.type.dtype == .fp32 }
      .map { kind, value in
        let effect = works ? "works here, is refused by older chips and slower" : "is refused"
        return RuleFinding(
          "\(kind) `\(value.name)` is fp32, which \(effect)", at: value.span,
          atMost: works ? .note : nil)
      }
  }

  private static func manyFiles(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.weightFilesMax
    var files: Set<String> = []
    for value in subject.functions.flatMap(\.checked.values) {
      guard case .blob(let path, _) = value.constant, files.insert(path).inserted,
        files.count > limit
      else { continue }
      return [
        RuleFinding(
          "`\(value.name)` names weight file \(files.count) of the program (\(path)), expected at"
            + " most \(limit) files", at: value.span)
      ]
    }
    return []
  }

  private static func deadOutputs(_ subject: RuleSubject) -> [RuleFinding] {
    subject.functions.flatMap { function -> [RuleFinding] in
      let computed = Set(function.checked.nodes.flatMap(\.outputs))
      // Where a result has no meaning the two lists differ, and nothing can be said.
      guard function.checked.outputs.count == function.syntax.body.results.count else { return [] }
      return zip(function.checked.outputs, function.syntax.body.results)
        .filter { !computed.contains($0.0) }
        .map { id, result in
          let kind = function.checked.values[id].constant == nil ? "an input" : "a constant"
          return RuleFinding(
            "`\(result.name)` is returned and is \(kind), expected the result of an operation",
            at: result.span)
        }
    }
  }

  private static func soleIdentities(_ subject: RuleSubject) -> [RuleFinding] {
    subject.functions.flatMap { function in
      function.statements
        .filter { $0.op == "identity" && $0.node.outputs == function.checked.outputs }
        .map {
          RuleFinding(
            "`identity` makes the only output of `\(function.syntax.name)`, expected an operation"
              + " that computes", at: $0.operation.opSpan)
        }
    }
  }
}

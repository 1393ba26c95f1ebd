/// Mends for rules about ops: the same numbers by ops that the device runs.

extension RuleFix {
  static let opFixes: [RuleFix] = [
    RuleFix(id: "no-rsqrt", make: power),
    RuleFix(id: "no-path") { $0.statement?.op == "identity" ? product($0) : nil },
    RuleFix(id: "sole-identity", make: product),
    RuleFix(id: "live-outputs", make: computedResult),
    RuleFix(id: "finite-mask", make: finiteMask),
    RuleFix(id: "conv-bias", make: biasBehind),
  ]

  /// `rsqrt(x)` is pow(x + epsilon, -0.5); an epsilon that the type rounds to nothing is left out.
  private static func power(_ site: FixSite) -> Fix? {
    guard let statement = site.statement, let result = statement.operation.outputs.first,
      let x = statement.argument("x"), case .reference(let operand) = x.value,
      let type = statement.operands("x").first?.type
    else { return nil }
    let exponent = site.freshName("\(result.name)_exponent")
    var edits = [
      site.line(
        site.constant(
          exponent, site.typeText(type.dtype), site.literal(type.dtype, ["-0.5"], scalar: true)),
        before: statement.operation)
    ]
    var base = operand.name
    let epsilon = statement.constant("epsilon")?.numbers.first
    let smallest = type.dtype == .fp16 ? 0x1p-25 : 0
    if let epsilon, epsilon > smallest {
      guard let given = statement.argument("epsilon")?.value else { return nil }
      base = site.freshName("\(result.name)_sum")
      edits.append(
        site.line(
          "\(site.typeText(type.dtype, type.shape)) \(base) = add(x = \(operand.name), y ="
            + " \(site.text(of: given)));", before: statement.operation))
    }
    guard let last = statement.operation.arguments.last else { return nil }
    edits.append(
      Fix.Edit(
        "pow(x = \(base), y = \(exponent)",
        at: SourceSpan(start: statement.operation.opSpan.start, end: last.span.end)))
    return Fix("write `rsqrt` as a power", edits)
  }

  /// `identity` is a product with one.
  private static func product(_ site: FixSite) -> Fix? {
    guard let statement = site.statement, statement.op == "identity",
      let result = statement.operation.outputs.first, let x = statement.argument("x"),
      let type = statement.operands("x").first?.type, type.dtype.isFloat
    else { return nil }
    let one = site.freshName("\(result.name)_one")
    return Fix(
      "multiply by one instead of `identity`",
      [
        site.line(
          site.constant(
            one, site.typeText(type.dtype), site.literal(type.dtype, ["1.0"], scalar: true)),
          before: statement.operation),
        Fix.Edit("mul", at: statement.operation.opSpan),
        Fix.Edit(
          "\(site.source(of: x)), y = \(one)", at: x.span),
      ])
  }

  /// An input that is returned as it came is returned as a product with one, under another name.
  private static func computedResult(_ site: FixSite) -> Fix? {
    let body = site.function.syntax.body
    guard let result = body.results.first(where: { $0.span == site.span }),
      let last = body.operations.last,
      let value = site.function.checked.values.last(where: { $0.name == result.name }),
      value.type.dtype.isFloat
    else { return nil }
    let (one, copy) = (site.freshName("\(result.name)_one"), site.freshName("\(result.name)_copy"))
    let dtype = value.type.dtype
    return Fix(
      "return `\(result.name)` times one, as `\(copy)`",
      [
        site.lines(
          [
            site.constant(one, site.typeText(dtype), site.literal(dtype, ["1.0"], scalar: true)),
            "\(site.typeText(dtype, value.type.shape)) \(copy) = mul(x = \(result.name), y = \(one));",
          ], after: last),
        Fix.Edit(copy, at: result.span),
      ])
  }

  /// -1e4 for -inf, where the constant is written in the text.
  private static func finiteMask(_ site: FixSite) -> Fix? {
    guard let statement = site.statement,
      let argument = statement.operation.arguments.first(where: { $0.span == site.span })
    else { return nil }
    let written: Literal
    switch argument.value {
    case .literal(let literal): written = literal
    case .reference(let reference):
      guard
        let definition = site.function.syntax.body.operations.first(where: {
          $0.op == "const" && $0.outputs.first?.name == reference.name
        }),
        let value = (definition.attributes + definition.arguments).first(where: {
          $0.name == "val"
        })?.value,
        case .literal(let literal) = value
      else { return nil }
      written = literal
    case .list: return nil
    }
    var finite = written
    finite.payload = written.payload.replacing("-inf", by: "-1e4")
    guard finite != written else { return nil }
    return Fix("write -1e4 for -inf", [Fix.Edit(site.text(of: finite), at: written.span)])
  }

  /// The bias of a convolution, shaped to its channels, is added to the result.
  private static func biasBehind(_ site: FixSite) -> Fix? {
    guard let statement = site.statement, let result = statement.operation.outputs.first,
      let bias = statement.argument("bias"), case .reference(let reference) = bias.value,
      let type = statement.operands("bias").first?.type, type.shape.count == 1,
      let output = statement.outputs.first?.type,
      let removal = site.removal(of: bias, from: statement.operation)
    else { return nil }
    let shape = [1, type.shape[0]] + Array(repeating: 1, count: output.shape.count - 2)
    let plain = site.freshName("\(result.name)_plain")
    let column = site.freshName("\(result.name)_bias")
    let sizes = site.freshName("\(result.name)_bias_shape")
    let lines = [
      site.constant(
        sizes, site.typeText(.int32, [shape.count]), site.literal(.int32, shape.map(String.init))),
      "\(site.typeText(type.dtype, shape)) \(column) = reshape(x = \(reference.name), shape ="
        + " \(sizes));",
      "\(site.text(of: result.type)) \(result.name) = add(x = \(plain), y = \(column));",
    ]
    return Fix(
      "add the bias behind `\(statement.op)`",
      [
        Fix.Edit("\(site.text(of: result.type)) \(plain)", at: result.span), removal,
        site.lines(lines, after: statement.operation),
      ])
  }
}

extension FixSite {
  /// An argument as the printer writes it.
  fileprivate func source(of argument: Argument) -> String {
    "\(argument.name) = \(text(of: argument.value))"
  }

  fileprivate func text(of value: ArgumentValue) -> String {
    switch value {
    case .reference(let reference): return reference.name
    case .literal(let literal): return text(of: literal)
    case .list(let members):
      return "(" + members.map { text(of: $0) }.joined(separator: ", ") + ")"
    }
  }

  /// Takes out an argument and the comma that parts it from its neighbour.
  fileprivate func removal(of argument: Argument, from operation: Operation) -> Fix.Edit? {
    guard let index = operation.arguments.firstIndex(of: argument) else { return nil }
    if index > 0 {
      let before = operation.arguments[index - 1].span.end
      return Fix.Edit("", at: SourceSpan(start: before, end: argument.span.end))
    }
    guard operation.arguments.count > 1 else { return nil }
    let next = operation.arguments[1].span.start
    return Fix.Edit("", at: SourceSpan(start: argument.span.start, end: next))
  }
}

extension Payload {
  /// The payload with one number in place of another, as they are written.
  fileprivate func replacing(_ number: String, by other: String) -> Payload {
    switch self {
    case .number(number): return .number(other)
    case .list(let members): return .list(members.map { $0.replacing(number, by: other) })
    default: return self
    }
  }
}

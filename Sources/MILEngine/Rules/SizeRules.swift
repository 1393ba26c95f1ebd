/// Rules about the sizes of tensors.
import ANEProfiles

extension RuleCheck {
  static let sizeChecks: [RuleCheck] = [
    RuleCheck(id: "minimum-surface", run: narrowPorts),
    RuleCheck(id: "wide-channels") { wideChannels($0) + wideConvolutions($0) },
    RuleCheck(id: "axis-limit", run: longAxes),
    RuleCheck(id: "rank-limit", run: highRanks),
    RuleCheck(id: "width-fault", run: faultyWidths),
  ]

  private static func narrowPorts(_ subject: RuleSubject) -> [RuleFinding] {
    let limits = subject.profile.limits
    return subject.functions.flatMap { function in
      let narrow = function.ports.compactMap { kind, value in
        let width = value.type.shape.last ?? 1
        let port = "\(kind) `\(value.name)` is \(width) wide"
        if width < limits.widthMin {
          return RuleFinding("\(port), expected at least \(limits.widthMin)", at: value.span)
        }
        guard width % limits.widthMultiple != 0 else { return nil }
        return RuleFinding(
          "\(port), expected a multiple of \(limits.widthMultiple)", at: value.span)
      }
      return narrow + slowPort(of: function, multiple: limits.widthMultiple)
        + smallSurface(of: function, subject.profile)
    }
  }

  /// Rows of twice the multiple were measured faster. One finding speaks for all ports of a function.
  private static func slowPort(of function: RuleFunction, multiple: Int) -> [RuleFinding] {
    let slow = function.ports.filter {
      let width = $0.value.type.shape.last ?? 1
      return multiple > 1 && width % multiple == 0 && width % (multiple * 2) != 0
    }
    guard let (kind, value) = slow.first else { return [] }
    let others = slow.count > 1 ? " (and \(slow.count - 1) more like it)" : ""
    return [
      RuleFinding(
        "\(kind) `\(value.name)` is \(value.type.shape.last ?? 1) wide\(others), which works but is"
          + " slower", at: value.span, atMost: .note,
        remedy: "a multiple of \(multiple * 2) is faster")
    ]
  }

  /// Surfaces below the least allocation; the host pads them. One finding speaks for all of a function.
  private static func smallSurface(of function: RuleFunction, _ profile: Profile)
    -> [RuleFinding]
  {
    let least = profile.conduct.surfaceBytesMin
    let alignment = profile.limits.rowAlignmentBytes
    let small = function.ports.first { SurfaceSize($0.value.type, alignment).byteCount < least }
    guard let (kind, value) = small else { return [] }
    let bytes = SurfaceSize(value.type, alignment).byteCount
    return [
      RuleFinding(
        "\(kind) `\(value.name)` takes \(bytes) bytes, expected a surface of at least \(least)",
        at: value.span, atMost: .note, remedy: "give it a surface of that size")
    ]
  }

  private static func wideChannels(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.axisChannelsMax
    return values(of: subject) { value, span in
      guard let channels = value.type.shape.dropLast(2).last, channels > limit else { return nil }
      return RuleFinding(
        "`\(value.name)` has \(channels) channels, expected at most \(limit)", at: span)
    }
  }

  /// Convolutions over more channels than the chip was seen to take.
  private static func wideConvolutions(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.convInputChannelsMax
    return subject.statements.compactMap { statement in
      guard statement.op == "conv", let shape = statement.operands("x").first?.type.shape,
        shape.count > 2, shape[1] > limit
      else { return nil }
      return RuleFinding(
        "`conv` sums over \(shape[1]) channels, expected at most \(limit)",
        at: statement.operation.opSpan)
    }
  }

  private static func longAxes(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.axisWidthMax
    return values(of: subject) { value, span in
      let shape = value.type.shape
      let axis = shape.indices.first { shape[$0] > limit && $0 != shape.count - 3 }
      return axis.map {
        RuleFinding(
          "axis \($0) of `\(value.name)` is \(shape[$0]) long, expected at most \(limit)", at: span)
      }
    }
  }

  private static func highRanks(_ subject: RuleSubject) -> [RuleFinding] {
    let limit = subject.profile.limits.rankMax
    return values(of: subject) { value, span in
      let rank = value.type.shape.count
      guard rank > limit else { return nil }
      return RuleFinding("`\(value.name)` has \(rank) axes, expected at most \(limit)", at: span)
    }
  }

  private static func faultyWidths(_ subject: RuleSubject) -> [RuleFinding] {
    // Where they do not fault, they did elsewhere.
    let widths = subject.profile.conduct.faultingWidths
    let known = widths.count == 2 ? widths : Profile.m4macOS15.conduct.faultingWidths
    return values(of: subject) { value, span in
      guard let width = value.type.shape.last, (known[0]...known[1]).contains(width) else {
        return nil
      }
      return RuleFinding(
        "`\(value.name)` is \(width) wide; widths from \(known[0]) to \(known[1]) fault"
          + (widths.isEmpty ? " on other chips" : ""), at: span)
    }
  }

  /// Asks about every value that the engine would hold: inputs, results and constant operands. Small
  /// integer constants are parameters, not tensors.
  private static func values(
    of subject: RuleSubject, _ judge: (Value, SourceSpan) -> RuleFinding?
  ) -> [RuleFinding] {
    subject.functions.flatMap { function in
      function.checked.values.compactMap { value in
        let isTensor = value.constant == nil || value.type.dtype.isFloat
        return isTensor ? judge(value, value.span) : nil
      }
    }
  }
}

/// Rules about the surfaces of inputs and outputs: sizes, order, sharing. Whether they are kept is the
/// caller's doing; the text only says where they matter.

extension RuleCheck {
  static let surfaceChecks: [RuleCheck] = [
    RuleCheck(id: "uniform-inputs", isAboutUse: true) { subject in
      subject.functions.compactMap { unequal($0.inputPlaces, "input", subject) }
    },
    RuleCheck(id: "uniform-outputs", isAboutUse: true) { subject in
      subject.functions.compactMap { unequal($0.results, "output", subject) }
    },
    RuleCheck(id: "input-order", isAboutUse: true) { subject in
      subject.functions.compactMap { unsorted($0.inputPlaces, "input") }
    },
    RuleCheck(id: "output-order", isAboutUse: true) { subject in
      subject.functions.compactMap { unsorted($0.results, "output") }
    },
    RuleCheck(id: "packed-read", isAboutUse: true, run: paddedSurfaces),
    RuleCheck(id: "in-out-alias", isAboutUse: true, run: sharedSurfaces),
  ]

  private typealias Places = [(value: Value, span: SourceSpan)]

  /// The first port whose surface has another size than the first one's.
  private static func unequal(_ places: Places, _ side: String, _ subject: RuleSubject)
    -> RuleFinding?
  {
    let alignment = subject.profile.limits.rowAlignmentBytes
    let sizes = places.map { SurfaceSize($0.value.type, alignment).byteCount }
    guard let index = sizes.firstIndex(where: { $0 != sizes[0] }) else { return nil }
    return RuleFinding(
      "\(side) `\(places[index].value.name)` takes \(sizes[index]) bytes and"
        + " `\(places[0].value.name)` \(sizes[0])", at: places[index].span)
  }

  /// The first port that stands before one of a smaller name.
  private static func unsorted(_ places: Places, _ side: String) -> RuleFinding? {
    let names = places.map(\.value.name)
    guard names.count > 1,
      let index = names.indices.dropFirst().first(where: { names[$0] < names[$0 - 1] })
    else { return nil }
    return RuleFinding(
      "\(side) `\(names[index])` is declared after `\(names[index - 1])` but is bound before it",
      at: places[index].span)
  }

  /// A surface that is larger than its packed data: rows that are padded, or an allocation that is.
  private static func paddedSurfaces(_ subject: RuleSubject) -> [RuleFinding] {
    let alignment = subject.profile.limits.rowAlignmentBytes
    let least = subject.profile.conduct.surfaceBytesMin
    return subject.functions.compactMap { function in
      for (kind, value) in function.ports {
        let size = SurfaceSize(value.type, alignment)
        let isPadded = size.rowBytes != size.packedRowBytes || size.byteCount < least
        guard isPadded else { continue }
        return RuleFinding(
          "\(kind) `\(value.name)` has rows of \(size.packedRowBytes) bytes, which are read"
            + " \(size.rowBytes) bytes apart whatever the surface's own rows are", at: value.span)
      }
      return nil
    }
  }

  private static func sharedSurfaces(_ subject: RuleSubject) -> [RuleFinding] {
    subject.functions.compactMap { function in
      for (value, span) in function.results {
        let twin = function.inputPlaces.first { $0.value.type == value.type }
        guard let twin else { continue }
        return RuleFinding(
          "output `\(value.name)` and input `\(twin.value.name)` could share a surface", at: span)
      }
      return nil
    }
  }
}

extension RuleFunction {
  fileprivate var inputPlaces: [(value: Value, span: SourceSpan)] {
    checked.inputs.map { (checked.values[$0], checked.values[$0].span) }
  }
}

/// What the surface of an input or output takes, with rows at a multiple of `alignment` bytes.
struct SurfaceSize {
  let packedRowBytes: Int
  let rowBytes: Int
  let byteCount: Int

  init(_ type: TensorType, _ alignment: Int) {
    let width = type.shape.last ?? 1
    packedRowBytes = width &* max(type.dtype.bitWidth ?? 8, 8) / 8
    rowBytes = (packedRowBytes + alignment - 1) / alignment * alignment
    byteCount = rowBytes &* (width == 0 ? 0 : type.elementCount / width)
  }
}

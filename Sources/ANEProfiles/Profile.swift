/// What is known of one chip under one OS: limits, arithmetic, cost, refused ops, rules. Values only.
///
/// A profile is a row in `Profiles/`. The simulator, the checker, the runtime and, as JSON, the
/// Python compiler read it; no other place holds a limit of the hardware.
public struct Profile: Sendable {
  public var name: String
  public var chip: String
  public var os: String
  /// The OS build that stands in cache paths and keys, as `24F74`.
  public var osBuild: String
  /// The architecture string the framework reports, as `h16g`.
  public var architecture: String
  public var dialect: Dialect
  public var limits: Limits
  public var arithmetic: Arithmetic
  public var conduct: Conduct
  public var cost: Cost
  /// Ops the device's compiler refuses, with the rule that says so.
  public var refusedOps: [RefusedOp]
  /// Forms that the compiler's own output takes on this profile.
  public var preferences: Preferences
  /// Ids of the rules of `Rules.swift` that hold here, with the severity they have on this profile.
  public var rules: [ProfileRule]
  /// Where the numbers come from, for whatever is printed of them.
  public var sources: [Source]
  /// The arithmetic that was asked for in the place of the chip's.
  public var option: ArithmeticOption?
}

/// Version of the MIL text and its opset tag.
public struct Dialect: Sendable, Hashable {
  /// `1.0` or `1.3`.
  public var program: String
  /// `ios15` to `ios18`.
  public var opset: String
}

/// Where a number of a profile was seen.
public struct Source: Sendable {
  /// Part and field in snake case, as `limits.loaded_programs_max`; or a part alone.
  public let field: String
  /// Who measured it, on what.
  public let text: String
  public let evidence: Evidence

  public enum Evidence: String, Sendable {
    case measured
    /// What explains several published measurements of this chip best (scripts/fit-costs).
    case fitted
    /// Nobody measured it on this chip: it was taken from neighbours, as the text says.
    case interpolated
  }

  public var isInterpolated: Bool { evidence == .interpolated }

  static func seen(_ field: String, _ text: String) -> Source {
    Source(field: field, text: text, evidence: .measured)
  }

  static func fitted(_ field: String, _ text: String) -> Source {
    Source(field: field, text: text, evidence: .fitted)
  }

  static func between(_ field: String, _ text: String) -> Source {
    Source(field: field, text: text, evidence: .interpolated)
  }
}

/// An op without a way onto the device.
public struct RefusedOp: Sendable {
  public let op: String
  public let rule: String
}

/// Choices that the Python compiler makes by profile.
public struct Preferences: Sendable {
  /// `concat` may be emitted.
  public var emitsConcat = false
  /// `rsqrt` may be emitted; else `pow(x, -0.5)`.
  public var emitsRsqrt = false
  /// Norms are scaled by their largest element first, to stay in fp16 range.
  public var scalesNorms = true
  /// A position of the cache is a row of its tensors; else it is a column.
  public var cachesRows = false
  /// Float type of activations in the emitted MIL.
  public var activation = "fp16"
  /// Columns of a decode step.
  public var decodeColumns = 32
  /// Columns of a step that checks drafted tokens or serves several sequences.
  public var speculationColumns = 32
  /// Lengths prompts are padded to.
  public var promptBuckets = [32, 64, 128, 256, 512, 1024]
  /// Lengths the cache is padded to.
  public var cacheBuckets = [128, 256, 512, 1024, 2048, 4096]
}

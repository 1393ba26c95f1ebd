/// What is known of one chip under one OS: limits, arithmetic, cost, refused ops, rules. Values only.
///
/// A profile is a row in `Profiles.swift`. The simulator, the checker, the runtime and, as JSON, the
/// Python compiler read it; no other place holds a limit of the hardware.
public struct Profile: Sendable {
  public let name: String
  public let chip: String
  public let os: String
  /// The OS build that stands in cache paths and keys, as `24F74`.
  public let osBuild: String
  /// The architecture string the framework reports, as `h16g`.
  public let architecture: String
  public let dialect: Dialect
  public let limits: Limits
  public let arithmetic: Arithmetic
  public let cost: Cost
  /// Ops the device's compiler refuses, with the rule that says so.
  public let refusedOps: [RefusedOp]
  /// Forms that the compiler's own output takes on this profile.
  public let preferences: Preferences
  /// Ids of the rules of `Rules.swift` that hold here, with the severity they have on this profile.
  public let rules: [ProfileRule]
}

/// Version of the MIL text and its opset tag.
public struct Dialect: Sendable, Hashable {
  /// `1.0` or `1.3`.
  public let program: String
  /// `ios15` to `ios18`.
  public let opset: String
}

/// Sizes that the device's compiler or loader refuses to exceed. Lengths count elements.
public struct Limits: Sendable {
  public let axisWidthMax: Int
  public let axisChannelsMax: Int
  public let matmulInnerMax: Int
  public let rankMax: Int
  /// Smallest last axis of a program input or output; narrower ones are padded by the host.
  public let widthMin: Int
  /// Widths of inputs and outputs are a multiple of this.
  public let widthMultiple: Int
  /// A row of a surface starts at a multiple of this many bytes.
  public let rowAlignmentBytes: Int
  public let loadedProgramsMax: Int
  public let addressSpaceBytes: Int
  public let queueDepthMax: Int
  public let weightFilesMax: Int
  /// fp32 tensors are allowed as inputs and outputs of a program.
  public let takesFloat32IO: Bool
}

/// How numbers behave between and inside ops.
public struct Arithmetic: Sendable, Hashable {
  public enum Storage: String, Sendable {
    /// Every float value is stored as its declared type says, sums in fp32.
    case declared
    /// Every float value is rounded to fp16 at the end of the op that makes it, sums in fp32.
    case fp16
  }
  public let storage: Storage
  /// Magnitude from which a matmul or convolution result becomes infinite; `nil`: the type's own range.
  public let macOverflowsAt: Float?
  /// NaN never comes out: it enters as +inf, and an indeterminate result is +0.
  public let hidesNaN: Bool

  public init(storage: Storage, macOverflowsAt: Float?, hidesNaN: Bool) {
    self.storage = storage
    self.macOverflowsAt = macOverflowsAt
    self.hidesNaN = hidesNaN
  }

  public static let ieee = Arithmetic(storage: .declared, macOverflowsAt: nil, hidesNaN: false)
}

/// Coefficients of the time model: dispatch + max(work / rate, bytes / bandwidth). Rates are per second.
public struct Cost: Sendable {
  public let dispatchSeconds: Double
  public let compileSeconds: Double
  public let loadSeconds: Double
  public let unloadSeconds: Double
  public let matmulFlops: Double
  public let convFlops: Double
  public let weightBytes: Double
  /// Where the coefficients were measured, and which are interpolated.
  public let source: String
}

/// An op without a way onto the device.
public struct RefusedOp: Sendable {
  public let op: String
  public let rule: String
}

/// Choices that the Python compiler makes by profile.
public struct Preferences: Sendable {
  /// `concat` may be emitted.
  public let emitsConcat: Bool
  /// `rsqrt` may be emitted; else `pow(x, -0.5)`.
  public let emitsRsqrt: Bool
  /// Norms are scaled by their largest element first, to stay in fp16 range.
  public let scalesNorms: Bool
  /// Float type of activations in the emitted MIL.
  public let activation: String
  /// Columns of a decode step.
  public let decodeColumns: Int
  /// Columns of a step that checks drafted tokens or serves several sequences.
  public let speculationColumns: Int
  /// Lengths prompts are padded to.
  public let promptBuckets: [Int]
  /// Lengths the cache is padded to.
  public let cacheBuckets: [Int]
}

/// Coefficients of the model of time and energy. The formula that reads them is `CostModel` in MILEngine:
///
///     seconds = dispatch + max(products, memory) + passes
///
/// A rate of 0 leaves its term out: nobody knows it, or it does not bind.
public struct Cost: Sendable {
  public var dispatchSeconds: Double
  public var compileSeconds: Double
  public var loadSeconds: Double
  public var unloadSeconds: Double
  public var matmulFlops: Double
  public var convFlops: Double
  public var weightBytes: Double
  /// What a process costs before its first call.
  public var startSeconds = 0.0
  /// Element-wise ops on a tensor beyond this many bytes slow down.
  public var opBytesMax: Int
  /// Products with an operand beyond this many bytes slow down, and where `programSlowdown` says so all
  /// products of a program that touches more.
  public var programBytesMax: Int
  /// How many times as long an op takes beyond its size.
  public var slowdown = 2.0
  /// How many times as long products take in a program beyond `programBytesMax`.
  public var programSlowdown = 1.0
  /// Compiling a program in which a dozen branches meet in one op takes this long.
  public var wideFanInSeconds = 0.0
  /// A compile sooner than this after a failed one waits for the service to restart.
  public var failurePauseSeconds = 0.0
  /// The widths below it run slower; a multiple of it is fast.
  public var fastWidthMultiple = 64
  /// How many times as long a product takes at any other width.
  public var unevenSlowdown = 1.58
  public var inputBytes = 0.0
  public var outputBytes = 0.0
  public var softmaxElements = 0.0
  public var normElements = 0.0
  public var compileSecondsPerByte = 0.0
  public var patchBytes = 0.0
  public var hostBytes = 0.0
  public var watts = 0.0
  /// Predicted over measured, of nine in ten published measurements that took no part in the fit.
  public var bandLow = 0.0
  public var bandHigh = 0.0
}

/// What a coefficient of `Cost` is, for whatever is printed of it.
public struct CostField: Sendable {
  public let name: String
  public let unit: String
  public let meaning: String
  let value: @Sendable (Cost) -> Double

  public static let all: [CostField] = [
    row("dispatch_seconds", "s", "handing a request over") { $0.dispatchSeconds },
    row("matmul_flops", "FLOP/s", "products of two matrices at their best") { $0.matmulFlops },
    row("conv_flops", "FLOP/s", "convolutions at their best") { $0.convFlops },
    row("uneven_slowdown", "times", "products of a width that is no fast multiple") {
      $0.unevenSlowdown
    },
    row("fast_width_multiple", "elements", "a multiple of it is a fast width") {
      Double($0.fastWidthMultiple)
    },
    row("slowdown", "times", "an op beyond its size") { $0.slowdown },
    row("op_bytes_max", "bytes", "the size of an element-wise op") { Double($0.opBytesMax) },
    row("program_bytes_max", "bytes", "the size of a product, and of a program") {
      Double($0.programBytesMax)
    },
    row("program_slowdown", "times", "products of a program beyond its size") {
      $0.programSlowdown
    },
    row("weight_bytes", "B/s", "weights into the engine, and passes of element-wise ops") {
      $0.weightBytes
    },
    row("input_bytes", "B/s", "inputs of a program") { $0.inputBytes },
    row("output_bytes", "B/s", "outputs of a program") { $0.outputBytes },
    row("softmax_elements", "1/s", "elements of a softmax") { $0.softmaxElements },
    row("norm_elements", "1/s", "elements of a norm that is one op") { $0.normElements },
    row("compile_seconds", "s", "compiling a small program") { $0.compileSeconds },
    row("compile_seconds_per_byte", "s/B", "compiling its weights") { $0.compileSecondsPerByte },
    row("wide_fan_in_seconds", "s", "compiling where too many branches meet") {
      $0.wideFanInSeconds
    },
    row("failure_pause_seconds", "s", "waiting after a compile that failed") {
      $0.failurePauseSeconds
    },
    row("load_seconds", "s", "loading a compiled program") { $0.loadSeconds },
    row("unload_seconds", "s", "unloading it") { $0.unloadSeconds },
    row("start_seconds", "s", "a process before its first call") { $0.startSeconds },
    row("patch_bytes", "B/s", "writing weights into a program's file") { $0.patchBytes },
    row("host_bytes", "B/s", "what the host reads and writes") { $0.hostBytes },
    row("watts", "W", "the engine's power while it runs; idle it takes none") { $0.watts },
    row("band_low", "ratio", "predicted over measured, low end") { $0.bandLow },
    row("band_high", "ratio", "predicted over measured, high end") { $0.bandHigh },
  ]

  private static func row(
    _ name: String, _ unit: String, _ meaning: String, _ value: @escaping @Sendable (Cost) -> Double
  ) -> CostField {
    CostField(name: name, unit: unit, meaning: meaning, value: value)
  }
}

extension Profile {
  /// Every coefficient with its value here, and where that comes from.
  public var costRows: [(field: CostField, value: Double, source: Source?)] {
    CostField.all.map { field in
      let source =
        sources.first { $0.field == "cost.\(field.name)" } ?? sources.first { $0.field == "cost" }
      return (field, field.value(cost), source)
    }
  }
}

/// How the engine spends time on ops that are no products: by name; all others pass over their results.
public struct OpKind: Sendable {
  public let kind: String
  public let ops: [String]

  public static let all: [OpKind] = [
    OpKind(kind: "softmax", ops: ["softmax"]),
    OpKind(
      kind: "norm",
      ops: ["layer_norm", "instance_norm", "batch_norm", "l2_norm", "local_response_norm"]),
    OpKind(kind: "free", ops: ["reshape", "expand_dims", "squeeze", "identity"]),
  ]

  public static let byName: [String: String] = Dictionary(
    uniqueKeysWithValues: all.flatMap { row in row.ops.map { ($0, row.kind) } })
}

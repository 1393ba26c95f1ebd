/// One thing that was seen of how an engine treats numbers.
public struct NumericRow: Sendable {
  public let id: String
  public let behaviour: String
  public let chips: String
  public let evidence: String
  /// The field of a profile's arithmetic that says whether the simulator does so; `nil`: it never does, or
  /// always.
  public let field: String?
}

extension NumericRow {
  public static let all: [NumericRow] = [
    NumericRow(
      id: "storage", behaviour: "inputs, weights, outputs and what goes between ops are fp16",
      chips: "all", evidence: "measured, by ane-guide and others", field: "storage"),
    NumericRow(
      id: "wide-sums",
      behaviour: "products of fp16 are summed in a wide register and rounded once, independent of"
        + " batch and position, the same from run to run",
      chips: "all", evidence: "measured, by ane-guide; another report has a Q15.16 register",
      field: "storage"),
    NumericRow(
      id: "lane-tiles",
      behaviour:
        "lanes are summed in tiles of four, each rounded to fp16 before the wide sum, visible"
        + " above 4096; tiles under that are not rounded here",
      chips: "M1", evidence: "measured, by ane-guide", field: "lane_tiles_above"),
    NumericRow(
      id: "mac-saturation",
      behaviour: "results of matmul and conv become infinite at 32,768; 32,752 passes",
      chips: "six chips from M1 to M5", evidence: "measured, by several; zeros on M3 Ultra",
      field: "mac_overflows_at"),
    NumericRow(
      id: "full-range", behaviour: "reduce_sum and element-wise ops reach 65,504",
      chips: "M1", evidence: "measured, by ane-guide", field: nil),
    NumericRow(
      id: "ties",
      behaviour: "half to even; 2049 became 2048 on M1 and 2050 on M5. Away from zero here where"
        + " products are summed, which is where a 2049 comes up; half to even element-wise",
      chips: "M1, M5", evidence: "measured, by ane-guide; disputed", field: "ties_away_in_sums"),
    NumericRow(
      id: "denormals", behaviour: "kept element-wise, flushed in sums of products",
      chips: "flushed on M1, kept on M5", evidence: "measured, by ane-guide",
      field: "flushes_sums"),
    NumericRow(
      id: "no-nan",
      behaviour: "NaN enters as +inf; inf-inf, 0*inf and the roots and logarithms of -1 are +0",
      chips: "M1", evidence: "measured, by ane-guide", field: "hides_nan"),
    NumericRow(
      id: "log-of-zero", behaviour: "log(+0) is -45,440", chips: "M1",
      evidence: "measured, by ane-guide", field: "log_of_zero"),
    NumericRow(
      id: "infinities",
      behaviour: "softplus(+inf) and softsign(+inf) are +0, and 1/-0 is +inf", chips: "M1",
      evidence: "measured, by ane-guide", field: "mistakes_infinity"),
    NumericRow(
      id: "activation-tables",
      behaviour: "activations are straight lines between 33 knots: errors to 0.0034 (sigmoid),"
        + " 0.0017 (tanh), 0.0059 (gelu). Computed exactly and rounded, unless the arithmetic is"
        + " `+tables`: knots at even distances, as many as give these errors; the chip's own knots,"
        + " and its -0.0005 for gelu(0), are not known well enough",
      chips: "M1", evidence: "measured, by ane-guide", field: "tabulates"),
    NumericRow(
      id: "softmax", behaviour: "softmax subtracts the largest score, and is stable", chips: "M1",
      evidence: "measured, by ane-guide", field: nil),
    NumericRow(
      id: "width-slice",
      behaviour: "a slice of the last axis that starts past 0 is infinite above 4094",
      chips: "M1, M2", evidence: "measured, by ane-guide and others; exact from M4 on",
      field: "width_slice_overflows_above"),
    NumericRow(
      id: "attention-mask", behaviour: "the attention op does not look at its mask",
      chips: "M4 Max and others", evidence: "seen failing in three projects",
      field: "ignores_attention_mask"),
    NumericRow(
      id: "int8-weights", behaviour: "int8 weights become fp16 before they are multiplied",
      chips: "all", evidence: "measured, by ane-guide", field: "storage"),
  ]
}

extension Profile {
  /// M4 Max under macOS 15 with every restriction read as the paper states it, a reload in place that
  /// takes effect among them. No chip was seen to be so in all points.
  public static let paper = Profile(
    name: "paper", chip: "M4 Max", os: "macOS 15", osBuild: "24F74", architecture: "h16s",
    dialect: Dialect(program: "1.3", opset: "ios18"),
    limits: Limits(
      convInputChannelsMax: 31_999, widthMin: 16, widthMultiple: 1, rowAlignmentBytes: 1,
      loadedProgramsMax: Limits.unlimited, compilesMax: 119,
      addressSpaceBytes: Limits.unlimited, programBytesMax: Limits.unlimited),
    arithmetic: .engine,
    conduct: Conduct(
      surfaceSize: .equal, surfaceBytesMin: 49_152, binding: .alphabetical, reload: .files,
      blobOffset: .blind),
    cost: Cost(
      dispatchSeconds: 95e-6, compileSeconds: 58e-3, loadSeconds: 4e-3, unloadSeconds: 4e-3,
      matmulFlops: 19e12 / 3, convFlops: 19e12, weightBytes: 110e9, startSeconds: 50e-3,
      opBytesMax: 32 << 20, programBytesMax: 32 << 20, slowdown: 1 / 0.7,
      programSlowdown: 1 / 0.7, unevenSlowdown: 1, inputBytes: 11.1e9, outputBytes: 6.0e9,
      softmaxElements: 9.3e9, normElements: 1.21e9, patchBytes: 1.76e9, hostBytes: 140e9,
      bandLow: 0.73, bandHigh: 1.44),
    refusedOps: RefusedOps.sweep + [
      RefusedOps.rsqrt, RefusedOp(op: "concat", rule: "concat-arguments"),
      RefusedOp(op: "gelu", rule: "gelu"),
    ],
    preferences: Preferences(decodeColumns: 16, speculationColumns: 16),
    rules: RuleLists.paper,
    sources: [
      .seen("limits", "the paper; later work disputes most of them"),
      .between("limits.axis_width_max", "compiler tables of h16 (decompiled)"),
      .between("limits.matmul_inner_max", "a sweep on M4"),
      .seen("arithmetic", "as on M4 Max"),
      .seen("conduct", "the paper"),
      .seen("cost.dispatch_seconds", "the paper"),
      .seen("cost.compile_seconds", "the paper: 4,200 ms for 72 programs"),
      .seen("cost.load_seconds", "the paper: unload and load take about 8 ms"),
      .seen("cost.unload_seconds", "the paper: unload and load take about 8 ms"),
      .seen("cost.matmul_flops", "the paper: a third of a convolution's rate"),
      .seen("cost.conv_flops", "the paper: 19 TFLOP/s"),
      .between("cost.weight_bytes", "as on M4 Max"),
      .seen("cost.start_seconds", "the paper: about 50 ms for a new process"),
      .seen("cost.op_bytes_max", "the paper: 32 MB of fast memory"),
      .seen("cost.program_bytes_max", "the paper: 32 MB of fast memory"),
      .seen("cost.slowdown", "the paper: 30 % beyond it"),
      .seen("cost.program_slowdown", "the paper: 30 % beyond it"),
      .seen("cost.uneven_slowdown", "the paper knows of none"),
      .between("cost", "as on M4 Max"),
      .seen("cost.band_low", "31 measurements of M4 and M4 Max, to which nothing is fitted here"),
      .seen("cost.band_high", "31 measurements of M4 and M4 Max, to which nothing is fitted here"),
    ])
}

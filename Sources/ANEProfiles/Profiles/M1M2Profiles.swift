/// The two oldest chips: the older dialect, fp16 at the edges of a program, and an arithmetic of their
/// own, which was measured on M1 alone.
extension Profile {
  public static let m1macOS15 = Profile(
    name: "m1-macos15", chip: "M1", os: "macOS 15", osBuild: "24F74", architecture: "h13g",
    dialect: oldDialect, limits: oldLimits, arithmetic: arithmeticOfM1, conduct: Conduct(),
    cost: Cost(
      dispatchSeconds: 0.22e-3, compileSeconds: 40e-3, loadSeconds: 4e-3, unloadSeconds: 0.5e-3,
      matmulFlops: 2.7e12, convFlops: 3.5e12, weightBytes: 51e9, opBytesMax: 2 << 20,
      programBytesMax: 32 << 20, wideFanInSeconds: 9, failurePauseSeconds: 15,
      inputBytes: 7.7e9, outputBytes: 0.96e9, softmaxElements: 1.04e9, normElements: 1.25e9,
      compileSecondsPerByte: 24e-9, patchBytes: 0.94e9, hostBytes: 55e9, watts: 2.7,
      bandLow: 0.51, bandHigh: 1.57),
    refusedOps: RefusedOps.sweep + RefusedOps.beforeA14 + RefusedOps.beforeA15,
    preferences: Preferences(), rules: RuleLists.m1,
    sources: [
      .seen("limits", "compiler tables of h13 (decompiled) and sweeps on M1"),
      .seen("limits.loaded_programs_max", "M1: 128 in a process, by ANEForge and ane-guide"),
      .between("limits.address_space_bytes", "about 4 GiB seen on M3 Ultra and M5 Max"),
      .between("limits.program_bytes_max", "a mixture of about 1.5 GB was refused"),
      .between("limits.matmul_inner_max", "a sweep on M4"),
      .seen("arithmetic", "M1, by ane-guide"),
      .between("conduct.narrow_width", "the Rust crate `ane` saw 0x1d from M1 to M5"),
      .seen("cost.dispatch_seconds", "M1: 0.19 to 0.23 ms, by ane-guide"),
      .seen("cost.matmul_flops", "M1: 4096 cubed, by ANEForge 0.4.0"),
      .seen("cost.conv_flops", "M1: 3x3 over 512 channels, by ANEForge 0.4.0"),
      .seen("cost.weight_bytes", "M1, by ane-guide"),
      .between("cost.compile_seconds", "A17 Pro and M3 Pro, and M1's clock"),
      .between("cost.load_seconds", "M4 Max and M5"),
      .between("cost.unload_seconds", "M5"),
      .seen("cost.op_bytes_max", "M1, by ane-guide"),
      .between("cost.program_bytes_max", "a cliff seen on M4 and A17 Pro"),
      .between("cost.slowdown", "products of 6144 and 8192 cubed on M4 and M5 Pro"),
      .between("cost.uneven_slowdown", onePair),
      .fitted("cost.input_bytes", "M1: sums over 1 to 32 million elements, by ANEForge 0.4.0"),
      .fitted("cost.output_bytes", "M1: products, convolutions and relu, by ANEForge 0.4.0"),
      .fitted("cost.softmax_elements", "M1: 1 to 32 million elements, by ANEForge 0.4.0"),
      .between("cost.norm_elements", "the same on M4, M5 and M5 Pro"),
      .seen(
        "cost.compile_seconds_per_byte",
        "M1 Pro: 72 programs in 11.1 s, a rerun of the paper's code"),
      .seen("cost.patch_bytes", "M1 Pro: 362 ms a step, a rerun of the paper's code"),
      .between("cost.host_bytes", "copies on M4 Max, by memory bandwidth"),
      .seen("cost.watts", "M1: products of 2048 cubed, by ANEForge 0.4.0"),
      .seen("cost.band_low", "17 measurements of M1, each left out of the fit once"),
      .seen("cost.band_high", "17 measurements of M1, each left out of the fit once"),
      .seen("cost.wide_fan_in_seconds", "M1: up to 9 s, by ane-guide"),
      .seen("cost.failure_pause_seconds", "M1: about 15 s, by ANEForge"),
    ])

  public static let m2macOS15 = Profile(
    name: "m2-macos15", chip: "M2", os: "macOS 15", osBuild: "24F74", architecture: "h14g",
    dialect: oldDialect, limits: oldLimits, arithmetic: oldArithmetic, conduct: Conduct(),
    cost: Cost(
      dispatchSeconds: 0.15e-3, compileSeconds: 40e-3, loadSeconds: 4e-3, unloadSeconds: 0.5e-3,
      matmulFlops: 3.0e12, convFlops: 4.0e12, weightBytes: 60e9, opBytesMax: 2 << 20,
      programBytesMax: 32 << 20, inputBytes: 15.9e9, outputBytes: 1.26e9, softmaxElements: 0.89e9,
      normElements: 1.25e9, compileSecondsPerByte: 24e-9, patchBytes: 0.94e9, hostBytes: 80e9,
      watts: 1.7, bandLow: 0.42, bandHigh: 1.44),
    refusedOps: RefusedOps.sweep + RefusedOps.beforeA15,
    preferences: Preferences(), rules: RuleLists.m2,
    sources: [
      .seen("limits", "compiler tables of h14 (decompiled)"),
      .between("limits.loaded_programs_max", "128 on M1 and M5"),
      .between("limits.address_space_bytes", "about 4 GiB seen on M3 Ultra and M5 Max"),
      .between("limits.program_bytes_max", "a mixture of about 1.5 GB was refused"),
      .between("limits.matmul_inner_max", "a sweep on M4"),
      .between("arithmetic", "M1, by ane-guide; the saturating slice was seen on A14 too"),
      .between("conduct.narrow_width", "the Rust crate `ane` saw 0x1d from M1 to M5"),
      .between("cost", "M1 and M2 Pro by ANEForge 0.4.0: bandwidth by cores, floor by clock"),
      .between("cost.input_bytes", "M2 Pro, by ANEForge 0.4.0"),
      .between("cost.output_bytes", "M2 Pro, by ANEForge 0.4.0"),
      .between("cost.softmax_elements", "M2 Pro, by ANEForge 0.4.0"),
      .between("cost.norm_elements", "the same on M4, M5 and M5 Pro"),
      .between("cost.uneven_slowdown", onePair),
      .between("cost.compile_seconds_per_byte", "M1 Pro, a rerun of the paper's code"),
      .between("cost.patch_bytes", "M1 Pro, a rerun of the paper's code"),
      .between("cost.host_bytes", "copies on M4 Max, by memory bandwidth"),
      .between("cost.watts", "M2 Pro: products of 2048 cubed, by ANEForge 0.4.0"),
      .seen("cost.band_low", "17 measurements of M2 Pro, each left out of the fit once"),
      .seen("cost.band_high", "17 measurements of M2 Pro, each left out of the fit once"),
    ])

  static let onePair =
    "2.45 and 3.87 TFLOP/s at a width that is no multiple of 64 and at one that is"
  private static let oldDialect = Dialect(program: "1.0", opset: "ios16")
  private static let oldLimits = Limits(
    axisWidthMax: 16_384, loadedProgramsMax: 128, takesFloat32IO: false)
  private static let oldArithmetic = Arithmetic(
    storage: .fp16, macOverflowsAt: 32_768, hidesNaN: true, flushesSums: true,
    widthSliceOverflowsAbove: 4094, logOfZero: -45_440, mistakesInfinity: true)
  private static let arithmeticOfM1 = {
    var arithmetic = oldArithmetic
    arithmetic.laneTilesAbove = 4096
    return arithmetic
  }()
}

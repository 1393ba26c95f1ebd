extension Profile {
  public static let m5macOS26 = Profile(
    name: "m5-macos26", chip: "M5", os: "macOS 26", osBuild: "25C56", architecture: "h17s",
    dialect: Dialect(program: "1.3", opset: "ios18"), limits: Limits(loadedProgramsMax: 128),
    arithmetic: .engine, conduct: Conduct(),
    cost: Cost(
      dispatchSeconds: 0.11e-3, compileSeconds: 12e-3, loadSeconds: 1.7e-3,
      unloadSeconds: 0.5e-3, matmulFlops: 8.7e12, convFlops: 17.4e12, weightBytes: 112e9,
      opBytesMax: 4_950_000, programBytesMax: 32 << 20),
    refusedOps: RefusedOps.sweep, preferences: Preferences(), rules: RuleLists.m5,
    sources: [
      .seen("limits", "sweeps on M5, by ANEForge 0.4.0"),
      .seen("limits.loaded_programs_max", "M5: 128 in a process, by ANEForge"),
      .between("limits.address_space_bytes", "about 4 GiB seen on M3 Ultra and M5 Max"),
      .between("limits.matmul_inner_max", "a sweep on M4"),
      .seen("arithmetic", "M5, by ane-guide; how ties are rounded is disputed"),
      .between("conduct.narrow_width", "the Rust crate `ane` saw 0x1d from M1 to M5"),
      .seen("cost.dispatch_seconds", "M5, by ane-infer and ANEForge"),
      .seen("cost.compile_seconds", "M5: 11 to 14 ms, by maderix"),
      .seen("cost.load_seconds", "M5, by maderix"),
      .seen("cost.unload_seconds", "M5, by maderix"),
      .seen("cost.matmul_flops", "M5: 2048 cubed, by ANEForge 0.4.0"),
      .seen("cost.conv_flops", "M5: 3x3 over 512 channels, by ANEForge 0.4.0"),
      .between("cost.weight_bytes", "M5 Pro and M5 Max, by cores"),
      .seen("cost.op_bytes_max", "M5: 4.72 MiB, by ane-guide"),
      .between("cost.program_bytes_max", "a cliff seen on M4 and A17 Pro"),
      .between("cost.slowdown", "products of 6144 cubed on M5 Pro"),
    ])

  public static let m5MaxMacOS26 = Profile(
    name: "m5max-macos26", chip: "M5 Max", os: "macOS 26", osBuild: "25C56",
    architecture: "h17", dialect: Dialect(program: "1.3", opset: "ios18"), limits: Limits(),
    arithmetic: .engine, conduct: Conduct(narrowWidth: .zeros, soleIdentityIsNaN: true),
    cost: Cost(
      dispatchSeconds: 0.08e-3, compileSeconds: 12e-3, loadSeconds: 2e-3, unloadSeconds: 0.5e-3,
      matmulFlops: 10e12, convFlops: 19e12, weightBytes: 150e9, opBytesMax: 4_950_000,
      programBytesMax: 32 << 20),
    refusedOps: RefusedOps.sweep.filter { $0.op != "identity" } + [RefusedOps.rsqrt],
    preferences: Preferences(), rules: RuleLists.m5Max,
    sources: [
      .seen("limits", "M5 Max notes: 62,080 channels work, 124,160 fail"),
      .seen("limits.loaded_programs_max", "M5 Max: the 128th is refused"),
      .seen("limits.address_space_bytes", "M5 Max notes and oMLX"),
      .between("limits.matmul_inner_max", "a sweep on M4"),
      .between("arithmetic", "M5, by ane-guide"),
      .seen("conduct.narrow_width", "M5 Max: zeros under 32"),
      .seen("conduct.sole_identity_is_nan", "M5 Max notes"),
      .between("cost", "M5 Pro by ANEForge 0.4.0, by cores; compile and load as on M5"),
      .seen("cost.weight_bytes", "M5 Max"),
    ])
}

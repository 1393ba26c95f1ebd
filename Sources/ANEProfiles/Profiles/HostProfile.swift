extension Profile {
  /// The machine that Orion runs on: MILEngine without the rules of any chip.
  public static let cpu = Profile(
    name: "cpu", chip: "host", os: "any", osBuild: "any", architecture: "host",
    dialect: Dialect(program: "1.3", opset: "ios18"),
    limits: Limits(
      axisWidthMax: 1 << 30, axisChannelsMax: 1 << 30, convInputChannelsMax: 1 << 30,
      matmulInnerMax: 1 << 30, rankMax: 8, widthMin: 1, widthMultiple: 1, rowAlignmentBytes: 1,
      loadedProgramsMax: 1 << 20, addressSpaceBytes: Limits.unlimited,
      programBytesMax: Limits.unlimited, queueDepthMax: 1 << 20,
      weightFilesMax: 1 << 20, fanInMax: 1 << 20),
    arithmetic: .ieee, conduct: Conduct(aliasFaultRoutes: []),
    cost: Cost(
      dispatchSeconds: 0, compileSeconds: 0, loadSeconds: 0, unloadSeconds: 0,
      matmulFlops: 1.5e11, convFlops: 1.5e11, weightBytes: 30e9, opBytesMax: Limits.unlimited,
      programBytesMax: Limits.unlimited, fastWidthMultiple: 1, unevenSlowdown: 1,
      hostBytes: 30e9),
    refusedOps: [],
    preferences: Preferences(
      emitsConcat: true, emitsRsqrt: true, scalesNorms: false, cachesRows: true,
      activation: "fp32", decodeColumns: 1, speculationColumns: 8),
    rules: [], sources: [.seen("cost", "two cores of AMD Zen 3, measured")])
}

import ANEProfiles

extension Profile {
  /// Every field, under its Swift name in snake case.
  var json: JSONText {
    .object([
      ("name", .text(name)), ("chip", .text(chip)), ("os", .text(os)),
      ("os_build", .text(osBuild)), ("architecture", .text(architecture)),
      (
        "dialect",
        .object([("program", .text(dialect.program)), ("opset", .text(dialect.opset))])
      ),
      ("limits", limits.json), ("arithmetic", arithmetic.json), ("cost", cost.json),
      (
        "refused_ops",
        .array(refusedOps.map { .object([("op", .text($0.op)), ("rule", .text($0.rule))]) })
      ),
      ("preferences", preferences.json),
      (
        "rules",
        .array(
          rules.map {
            .object([("id", .text($0.id)), ("severity", .text($0.severity.rawValue))])
          })
      ),
    ])
  }
}

extension Limits {
  fileprivate var json: JSONText {
    .object([
      ("axis_width_max", .integer(axisWidthMax)),
      ("axis_channels_max", .integer(axisChannelsMax)),
      ("matmul_inner_max", .integer(matmulInnerMax)),
      ("rank_max", .integer(rankMax)),
      ("width_min", .integer(widthMin)),
      ("width_multiple", .integer(widthMultiple)),
      ("row_alignment_bytes", .integer(rowAlignmentBytes)),
      ("loaded_programs_max", .integer(loadedProgramsMax)),
      ("address_space_bytes", .integer(addressSpaceBytes)),
      ("queue_depth_max", .integer(queueDepthMax)),
      ("weight_files_max", .integer(weightFilesMax)),
      ("takes_float32_io", .bool(takesFloat32IO)),
    ])
  }
}

extension Arithmetic {
  fileprivate var json: JSONText {
    .object([
      ("storage", .text(storage.rawValue)),
      ("mac_overflows_at", macOverflowsAt.map { .number(Double($0)) } ?? .null),
      ("hides_nan", .bool(hidesNaN)),
    ])
  }
}

extension Cost {
  fileprivate var json: JSONText {
    .object([
      ("dispatch_seconds", .number(dispatchSeconds)),
      ("compile_seconds", .number(compileSeconds)),
      ("load_seconds", .number(loadSeconds)),
      ("unload_seconds", .number(unloadSeconds)),
      ("matmul_flops", .number(matmulFlops)),
      ("conv_flops", .number(convFlops)),
      ("weight_bytes", .number(weightBytes)),
      ("source", .text(source)),
    ])
  }
}

extension Preferences {
  fileprivate var json: JSONText {
    .object([
      ("emits_concat", .bool(emitsConcat)),
      ("emits_rsqrt", .bool(emitsRsqrt)),
      ("scales_norms", .bool(scalesNorms)),
      ("activation", .text(activation)),
      ("decode_columns", .integer(decodeColumns)),
      ("prompt_buckets", .array(promptBuckets.map(JSONText.integer))),
      ("cache_buckets", .array(cacheBuckets.map(JSONText.integer))),
    ])
  }
}

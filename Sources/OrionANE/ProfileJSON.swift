import ANEProfiles

extension Profile {
  /// Every field, under its Swift name in snake case.
  var json: JSONValue {
    [
      "name": JSONValue(name), "chip": JSONValue(chip), "os": JSONValue(os),
      "os_build": JSONValue(osBuild), "architecture": JSONValue(architecture),
      "dialect": ["program": JSONValue(dialect.program), "opset": JSONValue(dialect.opset)],
      "limits": limits.json, "arithmetic": arithmetic.json, "cost": cost.json,
      "refused_ops": .array(
        refusedOps.map { ["op": JSONValue($0.op), "rule": JSONValue($0.rule)] }),
      "preferences": preferences.json,
      "rules": .array(
        rules.map { ["id": JSONValue($0.id), "severity": JSONValue($0.severity.rawValue)] }),
    ]
  }
}

extension Limits {
  fileprivate var json: JSONValue {
    [
      "axis_width_max": JSONValue(axisWidthMax),
      "axis_channels_max": JSONValue(axisChannelsMax),
      "matmul_inner_max": JSONValue(matmulInnerMax),
      "rank_max": JSONValue(rankMax),
      "width_min": JSONValue(widthMin),
      "width_multiple": JSONValue(widthMultiple),
      "row_alignment_bytes": JSONValue(rowAlignmentBytes),
      "loaded_programs_max": JSONValue(loadedProgramsMax),
      "address_space_bytes": JSONValue(addressSpaceBytes),
      "queue_depth_max": JSONValue(queueDepthMax),
      "weight_files_max": JSONValue(weightFilesMax),
      "takes_float32_io": .bool(takesFloat32IO),
    ]
  }
}

extension Arithmetic {
  fileprivate var json: JSONValue {
    [
      "storage": JSONValue(storage.rawValue),
      "mac_overflows_at": macOverflowsAt.map { .number(Double($0)) } ?? .null,
      "hides_nan": .bool(hidesNaN),
    ]
  }
}

extension Cost {
  fileprivate var json: JSONValue {
    [
      "dispatch_seconds": .number(dispatchSeconds),
      "compile_seconds": .number(compileSeconds),
      "load_seconds": .number(loadSeconds),
      "unload_seconds": .number(unloadSeconds),
      "matmul_flops": .number(matmulFlops),
      "conv_flops": .number(convFlops),
      "weight_bytes": .number(weightBytes),
      "source": JSONValue(source),
    ]
  }
}

extension Preferences {
  fileprivate var json: JSONValue {
    [
      "emits_concat": .bool(emitsConcat),
      "emits_rsqrt": .bool(emitsRsqrt),
      "scales_norms": .bool(scalesNorms),
      "activation": JSONValue(activation),
      "decode_columns": JSONValue(decodeColumns),
      "prompt_buckets": JSONValue(promptBuckets),
      "cache_buckets": JSONValue(cacheBuckets),
    ]
  }
}

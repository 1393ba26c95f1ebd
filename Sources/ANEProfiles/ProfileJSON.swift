/// A profile as JSON text, every field under its name in snake case: what Python reads.
extension Profile {
  public func json() -> String {
    JSONText.object([
      ("name", .string(name)), ("chip", .string(chip)), ("os", .string(os)),
      ("os_build", .string(osBuild)), ("architecture", .string(architecture)),
      (
        "dialect",
        .object([("program", .string(dialect.program)), ("opset", .string(dialect.opset))])
      ),
      ("limits", limits.json), ("arithmetic", arithmetic.json), ("conduct", conduct.json),
      ("cost", cost.json), ("preferences", preferences.json),
      ("sources", .array(sources.map(\.json))), ("cost_rows", .array(costRows.map(costRow))),
      ("op_kinds", .object(OpKind.all.map { ($0.kind, .array($0.ops.map { .string($0) })) })),
      ("numerics", .array(NumericRow.all.map(\.json))),
      ("option", option.map { .string($0.rawValue) } ?? .null),
      ("refused_ops", .array(refusedOps.map(\.json))), ("rules", .array(rules.map(\.json))),
    ]).text
  }

  private func costRow(
    _ row: (field: CostField, value: Double, source: Source?)
  ) -> JSONText {
    .object([
      ("coefficient", .string(row.field.name)), ("value", .number(row.value)),
      ("unit", .string(row.field.unit)), ("meaning", .string(row.field.meaning)),
      ("source", row.source.map { .string($0.text) } ?? .null),
      ("evidence", row.source.map { .string($0.evidence.rawValue) } ?? .string("assumed")),
    ])
  }
}

extension Limits {
  fileprivate var json: JSONText {
    .object([
      ("axis_width_max", .integer(axisWidthMax)), ("axis_channels_max", .integer(axisChannelsMax)),
      ("conv_input_channels_max", .integer(convInputChannelsMax)),
      ("matmul_inner_max", .integer(matmulInnerMax)), ("rank_max", .integer(rankMax)),
      ("width_min", .integer(widthMin)), ("width_multiple", .integer(widthMultiple)),
      ("row_alignment_bytes", .integer(rowAlignmentBytes)),
      ("loaded_programs_max", .integer(loadedProgramsMax)),
      ("compiles_max", .integer(compilesMax)),
      ("address_space_bytes", .integer(addressSpaceBytes)),
      ("program_bytes_max", .integer(programBytesMax)),
      ("queue_depth_max", .integer(queueDepthMax)), ("weight_files_max", .integer(weightFilesMax)),
      ("takes_float32_io", .bool(takesFloat32IO)), ("fan_in_max", .integer(fanInMax)),
    ])
  }
}

extension Arithmetic {
  fileprivate var json: JSONText {
    .object([
      ("storage", .string(storage.rawValue)),
      ("mac_overflows_at", macOverflowsAt.map { .number(Double($0)) } ?? .null),
      ("hides_nan", .bool(hidesNaN)), ("flushes_sums", .bool(flushesSums)),
      (
        "width_slice_overflows_above",
        widthSliceOverflowsAbove.map { .number(Double($0)) } ?? .null
      ),
      ("log_of_zero", logOfZero.map { .number(Double($0)) } ?? .null),
      ("mistakes_infinity", .bool(mistakesInfinity)),
      ("ignores_attention_mask", .bool(ignoresAttentionMask)),
      ("lane_tiles_above", laneTilesAbove.map { .number(Double($0)) } ?? .null),
      ("ties_away_in_sums", .bool(tiesAwayInSums)), ("tabulates", .bool(tabulates)),
    ])
  }
}

extension Conduct {
  fileprivate var json: JSONText {
    .object([
      ("surface_size", .string(surfaceSize.rawValue)),
      ("surface_bytes_min", .integer(surfaceBytesMin)), ("binding", .string(binding.rawValue)),
      ("narrow_width", .string(narrowWidth.rawValue)),
      ("faulting_widths", .array(faultingWidths.map { .integer($0) })),
      ("alias_fault_routes", .array(aliasFaultRoutes.map { .string($0) })),
      ("sole_identity_is_nan", .bool(soleIdentityIsNaN)), ("reload", .string(reload.rawValue)),
      ("blob_offset", .string(blobOffset.rawValue)),
      ("tells_hardware_times", .bool(tellsHardwareTimes)),
    ])
  }
}

extension NumericRow {
  fileprivate var json: JSONText {
    .object([
      ("id", .string(id)), ("behaviour", .string(behaviour)), ("chips", .string(chips)),
      ("evidence", .string(evidence)), ("field", field.map { .string($0) } ?? .null),
    ])
  }
}

extension Source {
  fileprivate var json: JSONText {
    .object([
      ("field", .string(field)), ("text", .string(text)), ("interpolated", .bool(isInterpolated)),
      ("evidence", .string(evidence.rawValue)),
    ])
  }
}

extension Cost {
  /// What counts bytes or elements is whole.
  private static let wholeFields: Set = [
    "op_bytes_max", "program_bytes_max", "fast_width_multiple",
  ]

  fileprivate var json: JSONText {
    .object(
      CostField.all.map { field in
        let value = field.value(self)
        let isWhole = Self.wholeFields.contains(field.name)
        return (field.name, isWhole ? .integer(Int(value)) : .number(value))
      })
  }
}

extension Preferences {
  fileprivate var json: JSONText {
    .object([
      ("emits_concat", .bool(emitsConcat)), ("emits_rsqrt", .bool(emitsRsqrt)),
      ("scales_norms", .bool(scalesNorms)), ("caches_rows", .bool(cachesRows)),
      ("activation", .string(activation)),
      ("decode_columns", .integer(decodeColumns)),
      ("speculation_columns", .integer(speculationColumns)),
      ("prompt_buckets", .array(promptBuckets.map { .integer($0) })),
      ("cache_buckets", .array(cacheBuckets.map { .integer($0) })),
    ])
  }
}

extension RefusedOp {
  fileprivate var json: JSONText { .object([("op", .string(op)), ("rule", .string(rule))]) }
}

extension ProfileRule {
  /// The rule's row with the severity it has here.
  fileprivate var json: JSONText {
    let own: [(String, JSONText)] = [("id", .string(id)), ("severity", .string(severity.rawValue))]
    guard let rule = Rule.named(id) else { return .object(own) }
    return .object(
      own + [
        ("paper_number", rule.paperNumber.map { .integer($0) } ?? .null),
        ("statement", .string(rule.statement)), ("symptom", .string(rule.symptom.rawValue)),
        ("remedy", .string(rule.remedy)), ("chips", .string(rule.chips)),
        ("basis", .array(rule.basis.map { .string($0.rawValue) })),
        ("evidence", .string(rule.evidence)),
      ])
  }
}

/// A JSON value on its way to text.
private enum JSONText {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONText])
  case object([(String, JSONText)])

  var text: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return String(value)
    case .number(let value): return value.isFinite ? "\(value)" : "null"
    case .string(let value): return Self.quoted(value)
    case .array(let members):
      return "[" + members.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      let pairs = members.map { Self.quoted($0.0) + ": " + $0.1.text }
      return "{" + pairs.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      if scalar.value < 0x20 {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}

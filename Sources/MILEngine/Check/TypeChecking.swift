/// The part of the check that compares declared types with those that ops give.

extension FunctionChecker {
  /// The types that the op's rule gives, when they are the declared ones.
  mutating func infer(
    _ operation: Operation, _ row: OpRow, _ operands: [String: Operand], _ blocks: [NestedFunction]
  ) -> [TensorType]? {
    let declared = operation.outputs.map { DeclaredType($0, version: version) }
    var types: [String: [TensorType]] = [:]
    var constants: [String: ConstantValue] = [:]
    var lists: [String: [ConstantValue]] = [:]
    for (name, operand) in operands {
      types[name] = operand.ids.map { values[$0].type }
      switch operand {
      case .one(let id): constants[name] = constantValue(id)
      case .many(let ids) where row.parameter(named: name)?.isConstant == true:
        lists[name] = ids.compactMap { constantValue($0) }
      case .many: break
      }
    }
    let context = InferenceContext(
      op: operation.op, opset: operation.version ?? opset, span: operation.span,
      types: types, constants: constants, lists: lists,
      declared: declared.compactMap { try? $0.tensor() },
      blocks: blocks.map(\.function.signature))
    do throws(Diagnostic) {
      let inferred = try row.infer(context)
      guard inferred.count == declared.count + (row.isSilent ? 1 : 0) else {
        throw Diagnostic(
          "`\(operation.op)` gives \(inferred.count) values here, but \(declared.count) are"
            + " declared; declare one for each", rule: "type-mismatch", at: operation.span)
      }
      for (type, declared) in zip(inferred, declared) {
        attempt { (_) throws(Diagnostic) in try declared.compare(with: type, of: operation.op) }
      }
      return inferred
    } catch {
      faults.append(error)
      return nil
    }
  }

  /// The content of a constant that stands in the text.
  mutating func constantValue(_ id: ValueID) -> ConstantValue? {
    if let known = decoded[id] { return known }
    guard let source = values[id].constant else { return nil }
    decoded[id] = ConstantValue(type: values[id].type, source: source)
    return decoded[id]
  }
}

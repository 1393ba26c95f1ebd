/// The part of the check that reads constants and literals.

extension FunctionChecker {
  /// `T name = const()[val = T(…)]`; old writers give `val` as an argument.
  mutating func constant(_ operation: Operation) throws(Diagnostic) {
    guard operation.outputs.count == 1, let output = operation.outputs.first else {
      for output in operation.outputs { define(output, as: .faulty) }
      throw Diagnostic(
        "`const` defines one value, but \(operation.outputs.count) are declared",
        rule: "type-mismatch", at: operation.span)
    }
    do throws(Diagnostic) {
      let given = (operation.attributes + operation.arguments).first { $0.name == "val" }
      guard let given, case .literal(let literal) = given.value else {
        throw Diagnostic(
          "`const` needs an attribute `val` with a typed literal, as val = int32(1)",
          rule: "missing-argument", at: operation.opSpan)
      }
      guard case .tensor = literal.type else {
        define(output, as: .other(literal.type))
        return
      }
      let (type, source) = try decode(literal)
      try DeclaredType(output, version: version).compare(with: type, of: "const")
      define(output, as: .value(addValue(output.name, type, source, at: output.span)))
    } catch {
      define(output, as: .faulty)
      throw error
    }
  }

  /// The type and content of a literal; a record of a weight file is looked up and compared.
  mutating func decode(_ literal: Literal) throws(Diagnostic) -> (TensorType, ConstantSource) {
    let type = try DeclaredType(literal.type, at: literal.span, version: version).tensor()
    guard case .blob(let name, let offset) = literal.payload else {
      return (type, try LiteralDecoder.decode(literal, as: type))
    }
    do throws(Diagnostic) {
      let path = try ModelDirectory.relativePath(name)
      guard BlobFormat.codes[type.dtype] != nil else {
        throw Diagnostic(
          "a weight file cannot hold \(type.dtype.rawValue); write the values into the text",
          rule: "blob")
      }
      _ = try weights.bytes(at: path, offset: offset, as: type)
      return (type, .blob(path: path, offset: offset))
    } catch {
      throw Diagnostic(error.message, rule: error.rule, at: literal.span)
    }
  }
}

import ANEProfiles
import MILEngine

/// Reads of a MIL text what the devices that take it as it is must know.
enum TextReader {
  /// For a device whose compiler refuses what the rules of `profile` forbid.
  static func programReader(_ profile: Profile) -> ProgramReader {
    ProgramReader(
      signature: { source throws(OrionError) in try signature(of: source) },
      faults: { source, directory in faults(of: source, in: directory, profile) })
  }

  /// The name that messages give the text.
  private static let file = "model.mil"

  static func signature(of source: ProgramSource) throws(OrionError) -> ProgramSignature {
    let tree: SyntaxTree
    do throws(DiagnosticList) {
      tree = try Parser.parse(source.text)
    } catch {
      throw OrionError(.program, error.text(file: file))
    }
    guard let function = tree.functions.first(where: { $0.name == source.function }) else {
      throw unknownFunction(source.function, tree.functions.map(\.name))
    }
    var inputs: [ProgramSignature.Operand] = []
    for parameter in function.parameters { inputs.append(try operand(parameter)) }
    var declared: [String: Binding] = [:]
    for binding in function.parameters { declared[binding.name] = binding }
    for operation in function.body.operations {
      for binding in operation.outputs { declared[binding.name] = binding }
    }
    var outputs: [ProgramSignature.Operand] = []
    for result in function.body.results {
      guard let binding = declared[result.name] else {
        let fault = Diagnostic(
          "\(result.name): returned but never defined", rule: "undefined", at: result.span)
        throw OrionError(.program, fault.text(file: file))
      }
      outputs.append(try operand(binding))
    }
    return ProgramSignature(inputs: inputs, outputs: outputs)
  }

  /// The text with the sizes that its inputs leave open fixed.
  static func bind(
    _ text: String, _ shapes: [String: [Int]], of function: String
  ) throws(OrionError) -> String {
    do throws(DiagnosticList) {
      return try Parser.parse(text).binding(shapes, of: function).text()
    } catch {
      throw OrionError(.program, error.text(file: file))
    }
  }

  /// Every fault of the text and its weights, a line each; `nil` when no error is known.
  static func faults(of source: ProgramSource, in directory: String, _ profile: Profile)
    -> String?
  {
    do throws(DiagnosticList) {
      let tree = try Parser.parse(source.text)
      let program = try Checker.check(tree, modelDirectory: directory)
      let broken = RuleChecker.check(tree, program, profile: profile)
      guard broken.contains(where: { $0.severity == .error }) else { return nil }
      return DiagnosticList(broken.filter { $0.severity != .note }).text(file: file)
    } catch {
      return error.text(file: file)
    }
  }

  static func unknownFunction(_ name: String, _ known: [String]) -> OrionError {
    OrionError(
      .program,
      "function \"\(name)\": not in the text; it has \(known.joined(separator: ", "))")
  }

  private static func operand(_ binding: Binding) throws(OrionError) -> ProgramSignature.Operand {
    guard case .tensor(let dtype, let dimensions) = binding.type else {
      throw fault(binding, "is no tensor; inputs and outputs of a program are tensors")
    }
    var shape: [Int] = []
    for dimension in dimensions {
      guard case .fixed(let length) = dimension else {
        throw fault(binding, "has an unknown length; give every axis a number")
      }
      shape.append(length)
    }
    return ProgramSignature.Operand(name: binding.name, dtype: dtype, shape: shape)
  }

  private static func fault(_ binding: Binding, _ what: String) -> OrionError {
    let fault = Diagnostic("\(binding.name): \(what)", rule: "type-mismatch", at: binding.span)
    return OrionError(.program, fault.text(file: file))
  }
}

/// Checks that a program is well formed and says what each name is. It knows no device.
///
/// A program is well formed when
/// - its dialect and opsets are known, and no two functions share a name;
/// - every value is defined once, before it is used, and what is returned exists;
/// - ops and their arguments are known, required ones are there, constant ones are constant;
/// - every declared type is the one that the op's type rule gives;
/// - every literal fits its type, and every record of a weight file is there and fits its type;
/// - all sizes are numbers.
public struct Checker {
  /// The checked program, or all its faults in order of place. Without a model directory weight files
  /// are not opened. `readsBlindly`: records of weight files are not looked at.
  public static func check(
    _ tree: SyntaxTree, modelDirectory: String?, readsBlindly: Bool = false
  ) throws(DiagnosticList) -> CheckedProgram {
    let (program, faults) = examine(
      tree, modelDirectory: modelDirectory, readsBlindly: readsBlindly)
    guard faults.isEmpty else { throw DiagnosticList(faults) }
    return program
  }

  /// All faults in order of place, beside what is sound of the program: faulty operations are left out,
  /// so that a profile's rules can be asked about the others.
  public static func examine(
    _ tree: SyntaxTree, modelDirectory: String?, readsBlindly: Bool = false
  ) -> (program: CheckedProgram, faults: [Diagnostic]) {
    var weights = ModelDirectory(path: modelDirectory, readsBlindly: readsBlindly)
    var faults = programFaults(tree)
    var functions: [CheckedFunction] = []
    for function in tree.functions {
      var checker = FunctionChecker(function, version: tree.version, weights: weights)
      functions.append(checker.run())
      faults += checker.faults
      weights = checker.weights
    }
    return (CheckedProgram(functions: functions), inOrder(faults))
  }

  static let versions = ["1.0", "1.3"]
  static let opsets = ["ios15", "ios16", "ios17", "ios18"]

  private static func programFaults(_ tree: SyntaxTree) -> [Diagnostic] {
    var faults: [Diagnostic] = []
    if !versions.contains(tree.version) {
      faults.append(
        Diagnostic(
          "program(\(tree.version)) is a dialect that is not known; write program(1.0) or"
            + " program(1.3)", rule: "unknown-dialect", at: tree.functions.first?.span))
    }
    if tree.functions.isEmpty {
      faults.append(
        Diagnostic("the program has no function, so nothing can run; add one", rule: "no-function"))
    }
    var seen: Set<String> = []
    for function in tree.functions where !seen.insert(function.name).inserted {
      faults.append(
        Diagnostic(
          "function `\(function.name)` is there already; give each function its own name",
          rule: "duplicate-function", at: function.span))
    }
    return faults
  }

  private static func inOrder(_ faults: [Diagnostic]) -> [Diagnostic] {
    func place(_ fault: Diagnostic) -> Int { fault.span?.start.offset ?? -1 }
    return faults.enumerated()
      .sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }
      .map(\.element)
  }
}

import ANEProfiles
import Testing

@testable import MILEngine

/// Runs the texts of Tests/filetests/fix: what stands under `// fixed:` comes of what stands above.
@Suite struct FixTests {
  static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/filetests/fix"
  static let files = SampleFiles.names(in: folder).filter { $0.hasSuffix(".mil") }

  @Test(arguments: files) func textsAreFixedAsTheySay(_ file: String) throws {
    let text = SampleFiles.text(of: Self.folder + "/" + file)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let mark = try #require(lines.firstIndex(of: "// fixed:"))
    let name = try #require(lines[0].split(separator: "=").last, "first line: // fix profile=…")
    let profile = try #require(Profile.named(String(name)))
    let given = lines[..<mark].joined(separator: "\n")
    let rule = String(file.dropLast(4))
    let before = TextCheck(given, modelDirectory: nil, profiles: [profile])
    #expect(before.findings.contains { $0.diagnostic.rule == rule && $0.diagnostic.fix != nil })

    let fixed = FixedText.fixing(given, modelDirectory: nil, profiles: [profile])
    let expected = [lines[0]] + lines[(mark + 1)...]
    #expect(fixed.text + "\n" == expected.joined(separator: "\n"))
    #expect(!fixed.outcomes.isEmpty && fixed.outcomes.allSatisfy { $0.obstacle == nil })
    let after = TextCheck(fixed.text, modelDirectory: nil, profiles: [profile])
    #expect(after.findings.allSatisfy { $0.profile != nil }, "\(after.findings)")
    #expect(!after.findings.contains { $0.diagnostic.fix != nil })
    #expect(
      !after.findings.contains {
        $0.diagnostic.rule == rule && $0.diagnostic.severity != .note
      })
    // A second time there is nothing to do.
    let again = FixedText.fixing(fixed.text, modelDirectory: nil, profiles: [profile])
    #expect(again.text == fixed.text && again.outcomes.isEmpty)
  }

  @Test func everyFixHasItsText() {
    for fix in RuleFix.all { #expect(Self.files.contains(fix.id + ".mil"), "\(fix.id)") }
  }

  @Test func aFixedProgramGivesTheSameNumbers() throws {
    let text = program(
      """
      fp16 small = const()[val = fp16(0.0625)];
      tensor<fp16, [1, 1, 1, 32]> a = rsqrt(epsilon = small, x = x);
      tensor<fp16, [1, 1, 1, 32]> b = identity(x = a);
      tensor<fp16, [1, 2, 1, 32]> y = concat(axis = int32(1), values = (a, b));
      """, inputs: "tensor<fp16, [1, 1, 1, 32]> x", out: "y")
    let fixed = FixedText.fixing(text, modelDirectory: nil, profiles: [.standard]).text
    #expect(
      !fixed.contains("rsqrt(") && !fixed.contains("identity(") && !fixed.contains("int32(1),"))
    let x = (1...32).map(Double.init)
    let results = try [text, fixed].map { (text: String) throws -> [Double] in
      let program = try Checker.check(try Parser.parse(text), modelDirectory: nil)
      let plan = try Plan(program.functions[0], arithmetic: .ieee)
      let function = ExecutableFunction(
        program.functions[0], plan: plan,
        constants: try ConstantMemory(plan, layout: PackLayout([plan]), packed: nil, owner: nil),
        work: Work(Lowering(program.functions[0], arithmetic: .ieee)))
      return try function.run([x])[0]
    }
    #expect(distance(results[0], results[1]) < 2e-3)
  }

  @Test func aFixThatWouldSwallowACommentIsLeftAndNamed() {
    let text = program(
      """
      fp16 e = const()[val = fp16(0.0)];
      tensor<fp16, [1, 1, 1, 32]> y = rsqrt(epsilon = e, /* kept */ x = x);
      """, inputs: "tensor<fp16, [1, 1, 1, 32]> x", out: "y")
    let fixed = FixedText.fixing(text, modelDirectory: nil, profiles: [.standard])
    #expect(fixed.text == text)
    #expect(fixed.outcomes.count == 1)
    #expect(fixed.outcomes.first?.obstacle?.contains("comment") == true)
  }
}

/// All faults come in one go, MIL's own beside the rules'.
@Suite struct TextCheckTests {
  @Test func threeFaultsOfDifferentKindsAreToldTogether() {
    let text = """
      program(1.3)
      {
          func main<ios18>(tensor<fp16, [1, 64, 1, 64]> x) {
              tensor<fp16, [1, 64, 1, 64]> a = rsqrt(x = x);
              tensor<fp16, [1, 64, 1, 63]> b = relu(x = x);
              tensor<fp16, [1, 64, 1, 64]> y = add(x = a, y = missing);
              tensor<fp16, [1, 64, 1, 64]> z = gelu(x = x);
          } -> (y, z);
      }
      """
    let found = TextCheck(text, modelDirectory: nil, profiles: [.standard]).findings
    let places = found.filter { $0.diagnostic.severity == .error }.map {
      "\($0.diagnostic.span?.start.line ?? 0):\($0.diagnostic.span?.start.column ?? 0)"
        + " \($0.diagnostic.rule)"
    }
    for expected in [
      "5:9 type-mismatch", "6:57 unknown-value", "4:42 no-rsqrt", "4:42 mandatory-arguments",
      "7:42 gelu",
    ] { #expect(places.contains(expected), "\(expected) is not among \(places)") }
  }

  @Test func aFaultOfMILIsToldOnceForAllProfiles() {
    let text = program("tensor<fp16, [4]> y = rlu(x = x);", inputs: "tensor<fp16, [4]> x", out: "y")
    let found = TextCheck(text, modelDirectory: nil, profiles: Profile.all).findings
    #expect(found.filter { $0.profile == nil }.map(\.diagnostic.rule) == ["unknown-op"])
  }

  @Test func bytesThatAreNoTextAreAFinding() {
    let found = TextCheck(utf8: [0x70, 0xFF], modelDirectory: nil, profiles: []).findings
    #expect(found.map(\.diagnostic.rule) == ["syntax"])
  }
}

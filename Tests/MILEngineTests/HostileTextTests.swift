import ANEProfiles
import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#endif

/// Texts made to break the reader. Nothing here may trap; what is accepted must print and parse again.
@Suite struct HostileTextTests {
  private static let pieces = [
    "(", ")", "[", "]", "{", "}", "<", ">", ",", ";", "=", "->", "?", "\"", "\\", "\0", "/*", "//",
    "-", "0x", "1e999999999999999999999", "-0x1p-99999999999999", "18446744073709551616",
    "9223372036854775807", "-1", "nan", "inf", "tensor<", "tensor<fp16, [0]>", "string(\"é\")",
    "state<",
    "BLOBFILE(path = string(\"@model_path/../x\"), offset = uint64(18446744073709551615))",
    "const", "bool", "int4", "uint64", "fp64", "ios18", "?", "\u{FFFF}", "x = x", "()",
  ]

  private func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...Int.random(in: 0..<4, using: &random) {
      let at = Int.random(in: 0..<max(bytes.count, 1), using: &random)
      let length = min(Int.random(in: 0..<40, using: &random), bytes.count - min(at, bytes.count))
      let range = min(at, bytes.count)..<(min(at, bytes.count) + length)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.removeSubrange(range)
      case 1: bytes.insert(contentsOf: Array(bytes[range]), at: at)
      case 2: bytes = Array(bytes[..<at])
      case 3 where !bytes.isEmpty: bytes[at] = UInt8.random(in: 0...255, using: &random)
      default:
        let piece = Self.pieces.randomElement(using: &random) ?? ""
        bytes.replaceSubrange(range, with: Array(piece.utf8))
      }
      if bytes.isEmpty { return bytes }
    }
    return bytes
  }

  @Test func twoThousandMutationsNeverTrap() throws {
    var random = SeededRandom(seed: 20_250)
    var seeds = SampleFiles.mil.map { SampleFiles.bytes(of: $0) }.filter { $0.count < 10_000 }
    seeds += RuleCheckerTests.files.map {
      SampleFiles.bytes(of: RuleCheckerTests.folder + "/" + $0)
    }
    var accepted = 0
    var refused = 0
    for round in 0..<2_000 {
      let bytes = mutated(seeds[round % seeds.count], &random)
      guard let tree = try? Parser.parse(utf8: bytes) else {
        refused += 1
        continue
      }
      let printed = tree.text()
      #expect(try Parser.parse(printed).text() == printed)
      if let program = try? Checker.check(tree, modelDirectory: "/nonexistent") {
        _ = RuleChecker.check(tree, program, profile: .standard)
      }
      accepted += 1
    }
    #expect(accepted > 100 && refused > 100, "\(accepted) accepted, \(refused) refused")
  }

  @Test func faultsAlwaysHaveTextAndPlace() {
    var random = SeededRandom(seed: 9)
    let text = program("tensor<fp16, [1, 64, 1, 32]> y = relu(x = x);", out: "y")
    for _ in 0..<300 {
      let bytes = mutated(Array(text.utf8), &random)
      do throws(DiagnosticList) { _ = try Parser.parse(utf8: bytes) } catch {
        #expect(!error.diagnostics.isEmpty)
        #expect(error.diagnostics.allSatisfy { !$0.message.isEmpty && $0.span != nil })
      }
    }
  }

  #if canImport(Glibc)
    /// Threads that a Mac starts have 512 KB of stack; the deepest text that is accepted fits.
    @Test func deepestTextFitsASmallStack() {
      var attributes = pthread_attr_t()
      pthread_attr_init(&attributes)
      pthread_attr_setstacksize(&attributes, 512 << 10)
      var thread = pthread_t()
      var rules: [[String]] = []
      let status = withUnsafeMutablePointer(to: &rules) { rules in
        let status = pthread_create(
          &thread, &attributes,
          { rules in
            let found = Self.deepTexts.map { text in faults(text).map(\.rule) + planFaults(text) }
            rules?.assumingMemoryBound(to: [[String]].self).pointee = found
            return nil
          }, rules)
        if status == 0 { pthread_join(thread, nil) }
        return status
      }
      #expect(status == 0)
      #expect(rules == [["literal"], ["literal"], ["literal"], []])
    }

    private static let deepTexts: [String] = {
      func nested(_ open: String, _ middle: String, _ close: String, _ depth: Int) -> String {
        String(repeating: open, count: depth) + middle + String(repeating: close, count: depth)
      }
      let deepest = Parser.deepest - Parser.blockWeight
      let payloads = [("[", "]"), ("(", ")"), ("{{1, ", "}}")].map {
        nested($0.0, "1", $0.1, deepest)
      }
      let blocks = nested(
        "{ cond(pred = p) a() ", "{ } -> () ", " b() { } -> (); } -> () ",
        deepest / Parser.blockWeight - 1)
      return payloads.map { program("fp16 y = const()[val = fp16(\($0))];", out: "y") }
        + [
          "program(1.3) { func f<ios18>(bool p, state<bool> s) { write_state(data = p, input = s);"
            + blocks.dropFirst() + "; }"
        ]
    }()
  #endif

  @Test func longNumbersAreQuick() throws {
    let digits = String(repeating: "9", count: 100_000)
    let text = program(
      "fp16 a = const()[val = fp16(\(digits))];\nfp16 b = const()[val = fp16(0x\(digits)p-1)];"
        + "\nfp16 c = const()[val = fp16(0.\(digits)e-\(digits))];", out: "a")
    #expect(faults(text).isEmpty)
  }

  @Test func manyFaultsStayQuick() {
    let statements = (0..<5_000).map { "fp16 v\($0) = relu(x = unknown\($0));" }
    let found = faults(program(statements.joined(separator: "\n"), out: "v0"))
    #expect(found.count == 5_000)
    let broken = (0..<5_000).map { "fp16 v\($0) = relu(x = );" }
    #expect(faults(program(broken.joined(separator: "\n"), out: "v0")).count == 50)
  }
}

/// The rules that the plans of a well-formed text break; none for other texts.
private func planFaults(_ text: String) -> [String] {
  guard let tree = try? Parser.parse(text),
    let program = try? Checker.check(tree, modelDirectory: nil)
  else { return [] }
  return program.functions.compactMap { function in
    do throws(Diagnostic) {
      _ = try Plan(function, arithmetic: .ieee)
      return nil
    } catch { return error.rule }
  }
}

import Testing

@testable import MILEngine

@Suite struct ParserTests {
  @Test(arguments: SampleFiles.mil) func appleFilesParse(_ path: String) throws {
    let tree = try Parser.parse(SampleFiles.text(of: path))
    #expect(tree.functions.map(\.name) == ["main"])
    #expect(tree.functions[0].body.results.isEmpty == false)
  }

  @Test func placesPointAtTheThing() throws {
    let text = program("  tensor<fp16, [1, 64, 1, 32]> y = relu(x = x);", out: "y")
    let operation = try #require(try Parser.parse(text).functions.first?.body.operations.first)
    #expect(operation.span.start.line == 4 && operation.span.start.column == 3)
    #expect(operation.span.end.column == 48)
    #expect(operation.opSpan.start.column == 36 && operation.opSpan.end.column == 40)
    #expect(operation.arguments[0].span.start.column == 41)
    #expect(operation.outputs[0].span.end.column == 33)
  }

  @Test func dialectsGiveEqualTypes() throws {
    let long = "program(1.0) { func main<ios16>(tensor<fp16, []> x) { } -> (x); }"
    let short = "program(1.3) { func main<ios16>(fp16 x) { } -> (x); }"
    let types = try [long, short].map { try Parser.parse($0).functions[0].parameters[0].type }
    #expect(types[0] == types[1])
  }

  @Test func everyFormOfValueParses() throws {
    let statements = """
      const()[name = string("c"), val = fp16(0x1.8p+0)];
      tensor<fp16, [4]> w = const()[val = tensor<fp16, [4]>(BLOBFILE(offset = uint64(64), path = string("@model_path/w.bin")))];
      tensor<fp16, [1, ?]> a, int32 b = split<ios17>(values = (x, fp16(1)), axis = int32(-1));
      write_state(data = a, input = kv)[dictionary = dict<string, fp64>({{"ane", 0.00467}}), none = dict<string, string>({})];
      """
    let inputs =
      "state<tensor<fp16, [1]>> kv, tensor_buffer<fp16, shape=[1, 2], strides=[64, 32]> z"
    let tree = try Parser.parse(program(statements, inputs: inputs, out: "a, b"))
    let operations = tree.functions[0].body.operations
    #expect(operations.map(\.op) == ["const", "const", "split", "write_state"])
    #expect(operations[2].outputs.map(\.name) == ["a", "b"])
    #expect(operations[2].version == "ios17")
    #expect(operations[0].outputs.isEmpty && operations[3].outputs.isEmpty)
    guard case .literal(let blob) = operations[1].attributes[0].value else {
      Issue.record("no literal")
      return
    }
    #expect(blob.payload == .blob(path: "@model_path/w.bin", offset: 64))
  }

  @Test func nestedBlocksParse() throws {
    let text = program(
      "bool r = cond(pred = p) true_branch() { fp16 y = relu(x = x); } -> (y)"
        + " false_branch(fp16 z) { } -> (x);", out: "r")
    let nested = try Parser.parse(text).functions[0].body.operations[0].nested
    #expect(nested.map(\.name) == ["true_branch", "false_branch"])
    #expect(nested[1].parameters.map(\.name) == ["z"])
  }

  @Test func severalFunctionsAndNoneParse() throws {
    let one = "func f<ios18>() { } -> ();"
    let tree = try Parser.parse("program(1.3) { \(one) \(one.replacing("f<", with: "g<")) }")
    #expect(tree.functions.map(\.name) == ["f", "g"])
    #expect(try Parser.parse("program(1.3) [a = int32(1)] { }").functions.isEmpty)
  }

  @Test func untypedLiteralsNameTheRemedy() throws {
    let bare = program("fp16 y = softmax(axis = -1, x = x, f = true, s = \"a\");", out: "y")
    let faults = syntaxFaults(bare)
    #expect(faults.count == 3)
    #expect(faults.first?.message.contains("write `axis = int32(-1)`") == true)
    #expect(faults.first?.span?.start.column == 25)
    let old = syntaxFaults(bare.replacing("program(1.3)", with: "program(1.0)"))
    #expect(old.first?.message.contains("`axis = tensor<int32, []>(-1)`") == true)
  }

  @Test func oneRunReportsSeveralFaults() {
    let statements = """
      fp17 a = relu(x = x);
      fp16 b = relu(x = );
      fp16 c = relu(x = x);
      fp16 d = relu x = x);
      """
    let faults = syntaxFaults(program(statements, out: "c"))
    #expect(faults.map { $0.span?.start.line } == [4, 5, 7])
    #expect(faults.allSatisfy { $0.rule == "syntax" })
  }

  @Test(arguments: [
    ("", "expected `program`"),
    ("program(1.3) {", "the text ends here"),
    ("program(1.3) { } x", "expected the end of the text"),
    ("program(1.3) { func f<ios18>(fp16 x,) { } -> (x); }", "another item after the comma"),
    ("program(1.3) { func f<ios18>(fp16 x) { } -> x; }", "expected `(`"),
    ("program(1.3) { func f<ios18>(tensor<fp16, [-1]> x) { } -> (x); }", "whole number"),
    (
      "program(1.3) { func f<ios18>(tensor<fp16, [99999999999999999999]> x) { } -> (x); }",
      "whole number"
    ),
    ("program(1.3) { func f<ios18>(tensor<fq16, [1]> x) { } -> (x); }", "an element type"),
    ("program(1.3) { func f<ios18>(fp16 x) { fp16 y = relu(x = x) } -> (x); }", "expected `;`"),
    ("program(1.3) { $ }", "`$` is no part of MIL text"),
    (
      "program(1.3) { func f<ios18>() { fp16 y = const()[val = fp16(BLOBFILE(path = "
        + "string(\"a\"), offset = uint64(99999999999999999999)))]; } -> (y); }", "BLOBFILE(path ="
    ),
  ]) func faultsSayWhatWasExpected(_ text: String, _ expected: String) {
    let faults = syntaxFaults(text)
    #expect(faults.first?.message.contains(expected) == true, "\(faults)")
    #expect(faults.first?.span != nil)
  }

  @Test(arguments: ["[", "(", "{{1, "]) func deepNestingIsRefused(_ open: String) {
    let deep = String(repeating: open, count: 100_000)
    let text = program("fp16 y = const()[val = fp16(\(deep)", out: "y")
    #expect(syntaxFaults(text).first?.message.contains("nested too deep") == true)
  }

  @Test func deepTypesAreRefused() {
    let text = "program(1.3) { func f<ios18>(" + String(repeating: "state<", count: 100_000)
    #expect(syntaxFaults(text).first?.message.contains("nested too deep") == true)
  }

  @Test func bytesThatAreNoTextArePlaced() {
    do {
      _ = try Parser.parse(utf8: Array("program\n(1.3".utf8) + [0xFF, 0x20])
      Issue.record("parsed")
    } catch {
      #expect(error.diagnostics.first?.span?.start.line == 2)
      #expect(error.diagnostics.first?.span?.start.column == 5)
    }
  }
}

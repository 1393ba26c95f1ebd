import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// All faults of a text, from either stage; empty when it is well formed.
func faults(_ text: String, modelDirectory: String? = nil) -> [Diagnostic] {
  do throws(DiagnosticList) {
    _ = try Checker.check(try Parser.parse(text), modelDirectory: modelDirectory)
    return []
  } catch { return error.diagnostics }
}

@Suite struct CheckerTests {
  private static let x = "tensor<fp16, [1, 64, 1, 32]>"

  @Test(arguments: SampleFiles.mil) func appleFilesAreWellFormed(_ path: String) {
    // Ops that no program of this engine needs, and sizes left open, are refused for what they are.
    let allowed: Set<String> = ["unknown-op", "unknown-dimension"]
    let found = faults(SampleFiles.text(of: path)).filter { !allowed.contains($0.rule) }
    #expect(found.isEmpty, "\(found.map { $0.text(file: path) })")
  }

  @Test func constantsAndLiteralsBecomeValues() throws {
    let text = program(
      """
      tensor<int32, [2]> axes = const()[name = string("a"), val = tensor<int32, [2]>([1, -1])];
      \(Self.x) y = mul(x = x, y = fp16(0.1));
      tensor<fp16, [1, 1, 1, 1]> z = reduce_sum(axes = axes, keep_dims = bool(true), x = y);
      """, inputs: "\(Self.x) x", out: "y, z")
    let checked = try Checker.check(try Parser.parse(text), modelDirectory: nil)
    let function = try #require(checked.function(named: "main"))
    #expect(function.nodes.map(\.op) == ["mul", "reduce_sum"])
    let named = Dictionary(uniqueKeysWithValues: function.values.map { ($0.name, $0) })
    #expect(named["axes"]?.constant == .bytes([1, 0, 0, 0, 255, 255, 255, 255]))
    #expect(named["y.y"]?.constant == .bytes([0x66, 0x2E]))
    #expect(named["z.keep_dims"]?.constant == .bytes([1]))
    #expect(named["x"]?.constant == nil)
    #expect(function.inputs.map { function.values[$0].name } == ["x"])
    #expect(function.outputs.map { function.values[$0].name } == ["y", "z"])
    guard case .one(let given) = function.nodes[1].operands["axes"] else {
      Issue.record("no operand")
      return
    }
    #expect(function.values[given].name == "axes")
  }

  /// Statements of a function over `x`, the rule they break, and a part of the message.
  static let broken: [(statements: String, rule: String, message: String)] = [
    ("\(x) y = relu(x = x);\n\(x) y = relu(x = x);", "single-assignment", "at line 4"),
    ("\(x) x = relu(x = x);\n\(x) y = relu(x = x);", "single-assignment", "`x` is defined already"),
    ("\(x) y = relu(x = z);\n\(x) z = relu(x = x);", "use-before-definition", "line 5 defines it"),
    ("\(x) y = relu(x = y);", "use-before-definition", "move the definition up"),
    ("\(x) first = relu(x = x);\n\(x) y = relu(x = fist);", "unknown-value", "mean `first`?"),
    ("\(x) y = rellu(x = x);", "unknown-op", "unknown op `rellu`; did you mean `relu`?"),
    ("\(x) y = quantum_leap(x = x);", "unknown-op", "unknown op `quantum_leap`; no op"),
    ("\(x) y = relu(x = x, w = x);", "unknown-argument", "has no argument `w`; it takes `x`"),
    ("\(x) y = relu(x = x, bigger = x);", "unknown-argument", "it takes `x`"),
    ("\(x) y = relu();", "missing-argument", "needs argument `x`"),
    ("\(x) y = relu(x = x, x = x);", "duplicate-argument", "given twice"),
    ("\(x) y = softmax(axis = x, x = x);", "not-constant", "`axis` must be constant"),
    ("\(x) y = relu(x = (x, x));", "type-mismatch", "takes one value, but a list"),
    ("\(x) y = concat(axis = int32(1), values = ());", "type-mismatch", "an empty list"),
    ("\(x) y, \(x) z = relu(x = x);", "type-mismatch", "gives 1 values here, but 2 are declared"),
    (
      "tensor<fp16, [1, 64, 1, 31]> y = relu(x = x);", "type-mismatch",
      "declared tensor<fp16, [1, 64, 1, 31]>, but `relu` gives tensor<fp16, [1, 64, 1, 32]>"
    ),
    ("tensor<fp32, [1, 64, 1, 32]> y = relu(x = x);", "type-mismatch", "declared tensor<fp32"),
    (
      "tensor<fp16, [1, ?, 1, 8]> y = relu(x = x);", "type-mismatch",
      "declared tensor<fp16, [1, ?, 1, 8]>"
    ),
    ("state<\(x)> y = relu(x = x);", "unsupported-type", "`y` is a state"),
    ("\(x) y = relu(x = x) a() { } -> (x);", "unsupported-op", "takes 0 nested blocks, but 1"),
    ("\(x) y = relu<ios99>(x = x);", "unknown-opset", "opset `ios99`"),
    ("\(x) y = const();", "missing-argument", "attribute `val`"),
    ("\(x) y = const()[val = x];", "missing-argument", "attribute `val`"),
    (
      "int32 y = const()[val = fp16(1)];", "type-mismatch", "declared int32, but `const` gives fp16"
    ),
    ("int8 y = const()[val = int8(128)];", "literal", "-128 to 127"),
    ("uint3 y = const()[val = uint3(8)];", "literal", "0 to 7"),
    ("int8 y = const()[val = int8(-129)];", "literal", "does not fit int8"),
    ("uint8 y = const()[val = uint8(-1)];", "literal", "0 to 255"),
    ("int32 y = const()[val = int32(1.0)];", "literal", "expected a whole number"),
    ("int32 y = const()[val = int32(99999999999999999999)];", "literal", "does not fit"),
    ("bool y = const()[val = bool(1)];", "literal", "expected bool, but `1` came"),
    ("string y = const()[val = string(true)];", "literal", "expected string, but `true`"),
    ("fp16 y = const()[val = fp16([1])];", "literal", "expected fp16, but a list"),
    (
      "tensor<fp16, [2]> y = const()[val = tensor<fp16, [2]>([1, 2, 3])];", "literal",
      "a list of 2 for axis 0 of fp16 [2], but a list of 3"
    ),
    (
      "tensor<fp16, [9, 2]> y = const()[val = tensor<fp16, [9, 2]>(1)];", "literal",
      "but one value came"
    ),
    (
      "tensor<fp16, [9223372036854775807, 4]> y = const()[val = tensor<fp16, "
        + "[9223372036854775807, 4]>([1])];", "too-large", "too many elements"
    ),
    (
      "dict<string, int32> y = const()[val = dict<string, int32>({{\"a\", 1}})];",
      "unsupported-type", "is a dict"
    ),
  ]

  @Test(arguments: broken.indices) func faultsAreNamedAndPlaced(_ index: Int) {
    let (statements, rule, message) = Self.broken[index]
    let found = faults(program(statements, inputs: "\(Self.x) x", out: "y"))
    #expect(found.first?.rule == rule, "\(found.map { $0.text(file: statements) })")
    #expect(found.contains { $0.message.contains(message) }, "\(found.map(\.message))")
    #expect(found.allSatisfy { $0.span != nil && $0.severity == .error })
  }

  @Test func allFaultsComeInOneGoInOrder() {
    let text = program(
      """
      \(Self.x) a = rellu(x = x);
      \(Self.x) b = add(x = a);
      \(Self.x) c = relu(x = b);
      \(Self.x) c = relu(x = nothing);
      """, inputs: "\(Self.x) x, list<\(Self.x), 2> s, tensor<fp16, [?, 4]> u", out: "c, d, c")
    let found = faults(text)
    #expect(
      found.map(\.rule) == [
        "unsupported-type", "unknown-dimension", "unknown-op", "missing-argument",
        "single-assignment", "unknown-value", "unknown-value", "duplicate-output",
      ], "\(found.map { $0.text(file: "t") })")
    #expect(
      found.compactMap { $0.span?.start.offset }
        == found.compactMap { $0.span?.start.offset }.sorted())
  }

  @Test func faultyValuesBlameTheirOriginAlone() {
    let text = program(
      "tensor<fp16, [1, ?]> y = relu(x = x);\ntensor<fp16, [1, ?]> z = relu(x = y);",
      inputs: "tensor<fp16, [1, ?]> x", out: "z")
    #expect(faults(text).map(\.rule) == ["unknown-dimension"])
  }

  @Test(arguments: [
    ("program(2.0) { func f<ios18>(fp16 x) { } -> (x); }", "unknown-dialect"),
    ("program(1.3) { }", "no-function"),
    ("program(1.3) { func f<ios14>(fp16 x) { } -> (x); }", "unknown-opset"),
    ("program(1.3) { func f<ios18>(fp16 x) { } -> (); }", "no-output"),
    ("program(1.3) { func f<ios18>(string x) { } -> (x); }", "unsupported-type"),
    ("program(1.3) { func f<ios18>(tensor<fp16, [0]> x) { } -> (x); }", "empty-dimension"),
    ("program(1.3) { func f<ios18>(list<fp16, 2> x) { } -> (x); }", "unsupported-type"),
    (
      "program(1.3) { func f<ios18>(fp16 x) { } -> (x); func f<ios18>(fp16 x) { } -> (x); }",
      "duplicate-function"
    ),
    (
      "program(1.3) { func f<ios18>(tensor<fp16, [9223372036854775807, 9]> x) { } -> (x); }",
      "too-large"
    ),
  ]) func programsAreChecked(_ text: String, _ rule: String) {
    #expect(faults(text).map(\.rule) == [rule])
  }

  @Test func literalsPackAsBlobsDo() throws {
    func bytes(_ type: TensorType, _ numbers: [String]) throws -> ConstantSource {
      let place = SourceLocation(offset: 0, line: 1, column: 1)
      let literal = Literal(
        type: .tensor(type.dtype, type.shape.map { .fixed($0) }),
        payload: .list(numbers.map { .number($0) }), span: SourceSpan(start: place, end: place))
      return try LiteralDecoder.decode(literal, as: type)
    }
    #expect(try bytes(TensorType(.int4, [3]), ["1", "-2", "3"]) == .bytes([0xE1, 0x03]))
    #expect(try bytes(TensorType(.uint3, [3]), ["1", "2", "7"]) == .bytes([0xD1, 0x01]))
    #expect(try bytes(TensorType(.uint6, [3]), ["1", "2", "63"]) == .bytes([0x81, 0xF0, 0x03]))
    #expect(
      try bytes(TensorType(.uint1, [9]), Array(repeating: "1", count: 9)) == .bytes([255, 1]))
    #expect(
      try bytes(TensorType(.int64, [1]), ["-9223372036854775808"])
        == .bytes(
          [0, 0, 0, 0, 0, 0, 0, 0x80]))
    #expect(try bytes(TensorType(.fp32, [1]), ["-inf"]) == .bytes([0, 0, 0x80, 0xFF]))
    #expect(try bytes(TensorType(.bf16, [1]), ["1"]) == .bytes([0x80, 0x3F]))
    #expect(try bytes(TensorType(.fp16, [0]), []) == .bytes([]))
  }
}

@Suite struct WeightReferenceTests {
  private let folder = TemporaryFolder()

  private func weights(_ path: String, _ offset: String = "64", type: String = "fp16, [3]")
    -> String
  {
    program(
      "tensor<\(type)> w = const()[val = tensor<\(type)>(BLOBFILE(path = string(\"\(path)\"),"
        + " offset = uint64(\(offset))))];", out: "w")
  }

  private func save(_ name: String) throws {
    var writer = BlobWriter()
    _ = try writer.append(TensorType(.fp16, [3]), [0, 60, 0, 64, 0, 66])
    _ = try writer.append(TensorType(.fp16, [3]), [0, 60, 0, 64, 0, 66])
    folder.write(writer.image, to: name)
  }

  @Test func recordsAreFound() throws {
    try save("w.bin")
    let tree = try Parser.parse(weights("@model_path/w.bin"))
    let checked = try Checker.check(tree, modelDirectory: folder.path)
    let expected = ConstantSource.blob(path: "w.bin", offset: 64)
    #expect(checked.functions[0].values.last?.constant == expected)
    #expect(faults(weights("@model_path/w.bin", "1000")).isEmpty, "no directory: not opened")
  }

  @Test(arguments: [
    "w.bin", "/etc/passwd", "@model_path", "@model_path/", "@model_path/../w.bin",
    "@model_path/a/../../w.bin", "@model_path//w.bin", "@model_path/./w.bin", "", "../w.bin",
    "@model_path/a\0b",
  ]) func pathsStayInside(_ path: String) {
    for directory in [nil, folder.path] {
      let found = faults(weights(path), modelDirectory: directory)
      #expect(found.map(\.rule) == ["blob-path"])
      #expect(found.first?.message.contains("expected \"@model_path/\"") == true)
    }
  }

  @Test func linksThatLeaveAreRefused() throws {
    let outside = TemporaryFolder()
    var writer = BlobWriter()
    _ = try writer.append(TensorType(.fp16, [3]), [0, 60, 0, 64, 0, 66])
    let target = outside.write(writer.image, to: "w.bin")
    symlink(target, folder.path + "/link.bin")
    symlink(outside.path, folder.path + "/linked")
    try save("real.bin")
    symlink("real.bin", folder.path + "/inner.bin")
    for name in ["link.bin", "linked/w.bin"] {
      let found = faults(weights("@model_path/" + name), modelDirectory: folder.path)
      #expect(found.first?.message.contains("leaves the model's directory") == true)
    }
    #expect(faults(weights("@model_path/inner.bin"), modelDirectory: folder.path).isEmpty)
  }

  @Test func recordsMustFitTheirDeclaration() throws {
    try save("w.bin")
    let name = "@model_path/w.bin"
    for (text, message) in [
      (weights(name, "128"), "not the start of a record"),
      (weights(name, "100"), "not the start of a record"),
      (weights(name, "18446744073709551615"), "names no record"),
      (weights(name, type: "fp32, [3]"), "holds fp16, but the text declares fp32"),
      (weights(name, type: "fp16, [4]"), "holds 6 bytes, but fp16 [4] takes 8"),
      (weights(name, type: "bool, [6]"), "cannot hold bool"),
      (weights("@model_path/none.bin"), "No such file"),
    ] {
      let found = faults(text, modelDirectory: folder.path)
      #expect(found.count == 1 && found[0].message.contains(message), "\(found.map(\.message))")
      #expect(found.first?.span?.start.line == 4)
    }
  }
}

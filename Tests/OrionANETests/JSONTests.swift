import Testing

@testable import OrionANE

/// Reading and writing JSON.
@Suite struct JSONTests {
  static let readable: [(text: String, value: JSONValue)] = [
    ("null", nil), (" true\r\n", true), ("\tfalse ", false), ("[]", []), ("{}", [:]),
    ("0", 0), ("-1", -1), ("9223372036854775807", .integer(.max)),
    ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(0x1p63)),
    ("1.0", .number(1)), ("-0", .number(-0.0)), ("1e3", .number(1000)), ("2.5E-1", .number(0.25)),
    ("0.1", .number(0.1)), ("5e-324", .number(.leastNonzeroMagnitude)), ("1e-400", .number(0)),
    ("\"\"", ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"),
    (#""\u00e9\u20AC\ud83d\ude00\u0000""#, "é€😀\u{0}"), ("\"é\u{2028}\"", "é\u{2028}"),
    (
      #"{"b": [1, {"c": null}], "a": "x"}"#,
      ["b": [1, ["c": nil]], "a": "x"]
    ),
  ]

  @Test(arguments: readable) func reads(_ row: (text: String, value: JSONValue)) throws {
    #expect(try JSONReader.read(Array(row.text.utf8)) == row.value)
  }

  static let refused: [(text: String, line: Int, column: Int, part: String)] = [
    ("", 1, 1, "the end of the text"), ("nul", 1, 1, "a word"), ("True", 1, 1, "\"T\""),
    ("1 2", 1, 3, "the end"), ("[1,]", 1, 4, "a value"), ("[1 2]", 1, 4, "\",\" or \"]\""),
    ("[1", 1, 3, "\",\" or \"]\""), ("{\"a\" 1}", 1, 6, "\":\""),
    ("{\"a\":1,}", 1, 8, "member name"),
    ("{a:1}", 1, 2, "member name"), ("{\"a\":1,\n \"a\":2}", 2, 2, "twice"),
    ("01", 1, 1, "start with 0"), ("-", 1, 2, "a digit"), ("1.", 1, 3, "a digit"),
    (".5", 1, 1, "a value"), ("1e", 1, 3, "a digit"), ("1e999", 1, 1, "range"),
    ("+1", 1, 1, "a value"),
    ("NaN", 1, 1, "a value"), ("\"a", 1, 1, "does not end"), ("\"a\n\"", 1, 3, "control"),
    ("\n\n  \"\\x\"", 3, 4, "expected an escape"), (#""\u12G4""#, 1, 2, "four hexadecimal"),
    (#""\ud800""#, 1, 2, "surrogate"), (#""\ud800\u0041""#, 1, 2, "surrogate"),
    (#""\udc00""#, 1, 2, "surrogate"), ("\u{FEFF}1", 1, 1, "0xEF"), ("/**/1", 1, 1, "\"/\""),
  ]

  @Test(arguments: refused)
  func refuses(_ row: (text: String, line: Int, column: Int, part: String)) {
    let error = #expect(throws: JSONError.self) { try JSONReader.read(Array(row.text.utf8)) }
    #expect(error?.line == row.line && error?.column == row.column)
    #expect(error?.message.contains(row.part) == true, "\(error?.message ?? "")")
  }

  @Test func refusesBytesThatAreNotUTF8() {
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xC3]] {
      let quoted = [0x22] + bytes + [0x22]
      let error = #expect(throws: JSONError.self) { try JSONReader.read(quoted) }
      #expect(error?.message.contains("UTF-8") == true)
    }
  }

  @Test func nestsUpToALimit() throws {
    let depth = JSONReader.depthMax
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    _ = try JSONReader.read(nested(depth))
    let error = #expect(throws: JSONError.self) { try JSONReader.read(nested(depth + 1)) }
    #expect(error?.column == depth + 1)
    #expect(throws: JSONError.self) {
      try JSONReader.read([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))
    }
  }

  @Test func writes() {
    let value: JSONValue = [
      "a": [nil, true, false, 1, -2.5, .number(.infinity)], "q\"\\\n\u{1}é": [:], "e": [],
    ]
    let text =
      #"{"a": [null, true, false, 1, -2.5, null], "q\"\\\n\u0001é": {}, "e": []}"#
    #expect(value.text == text)
  }

  @Test(arguments: readable) func readsWhatItWrote(_ row: (text: String, value: JSONValue)) throws {
    #expect(try JSONReader.read(Array(row.value.text.utf8)) == row.value)
  }

  @Test func findsMembers() {
    let value: JSONValue = ["a": 1]
    #expect(value["a"] == 1)
    #expect(value["b"] == nil)
    #expect(JSONValue.null["a"] == nil)
  }
}

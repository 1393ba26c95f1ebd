import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct NumberTests {
  private func bits(_ text: String, _ format: FloatFormat) throws -> UInt64 {
    format.bits(of: try #require(NumberText(text), "\(text)").value)
  }

  @Test(arguments: [
    ("0", 0x0000), ("-0", 0x8000), ("1", 0x3C00), ("-0x1p+0", 0xBC00), ("65504", 0x7BFF),
    ("65519.99999999999999999999999999999", 0x7BFF), ("65520", 0x7C00), ("-1e999", 0xFC00),
    ("inf", 0x7C00), ("-inf", 0xFC00), ("nan", 0x7E00), ("0x1p-24", 0x0001), ("0x1p-25", 0x0000),
    ("0x1.0000000000000000000000001p-25", 0x0001), ("5.960464477539063e-08", 0x0001),
    ("1e-99999999999999999999999", 0x0000), ("0x1.ff8p-15", 0x03FF), ("0x1.ffcp-15", 0x0400),
    ("6.103515625e-05", 0x0400), ("2049", 0x6800), ("2051", 0x6802), ("0.1", 0x2E66),
    ("1.0009765625", 0x3C01), (".5", 0x3800), ("5.", 0x4500), ("0x.8p0", 0x3800),
  ]) func fp16(_ text: String, _ expected: Int) throws {
    #expect(try bits(text, .fp16) == UInt64(expected))
  }

  /// Through fp32 or double each of these would first land on a tie and then fall the wrong way.
  @Test func narrowTypesAreRoundedOnce() throws {
    #expect(try bits("1.00048828125000000000000000001", .fp16) == 0x3C01)
    #expect(try bits("1.00048828124999999999999999999", .fp16) == 0x3C00)
    #expect(try bits("1.00048828125", .fp16) == 0x3C00)
    #expect(try bits("0x1.00200000000000000001p+0", .fp16) == 0x3C01)
    #expect(try bits("1.00000005960464477539062500000001", .fp32) == 0x3F80_0001)
    #expect(try bits("1.000000059604644775390625", .fp32) == 0x3F80_0000)
  }

  @Test func everyFp16ComesBackFromItsHexText() throws {
    for pattern in UInt64(0)...0xFFFF {
      let isNaN = pattern & 0x7FFF > 0x7C00
      let text = FloatFormat.fp16.hexText(pattern)
      #expect(try bits(text, .fp16) == (isNaN ? 0x7E00 : pattern))
    }
  }

  @Test func hexTextIsTheCompilers() {
    let cases: [(UInt64, FloatFormat, String)] = [
      (0x3C00, .fp16, "0x1p+0"), (0xBE00, .fp16, "-0x1.8p+0"), (0, .fp16, "0x0p+0"),
      (0x8000, .fp16, "-0x0p+0"), (0x0001, .fp16, "0x1p-24"), (0x03FF, .fp16, "0x1.ff8p-15"),
      (0x7C00, .fp16, "inf"), (0xFC00, .fp16, "-inf"), (0x7E00, .fp16, "nan"),
      (0x3EB1_7EF8, .fp32, "0x1.62fdfp-2"), (0x0000_0001, .fp32, "0x1p-149"),
      (0x3F80_0001, .fp32, "0x1.000002p+0"), (1, .fp64, "0x1p-1074"), (0x4049, .bf16, "0x1.92p+1"),
    ]
    for (pattern, format, text) in cases { #expect(format.hexText(pattern) == text) }
  }

  @Test func wideTypesAgreeWithTheCLibrary() throws {
    var random = SeededRandom(seed: 7)
    var texts = [
      "2.2250738585072011e-308", "4.9406564584124654e-324", "2.4703282292062327e-324",
      "1.7976931348623158e308", "1.7976931348623159e308", "9007199254740993",
      "0." + String(repeating: "0", count: 310) + String(repeating: "7", count: 900),
      String(repeating: "9", count: 1200) + "e-1100",
    ]
    for _ in 0..<3_000 {
      let value = Double(bitPattern: random.next())
      if value.isFinite { texts.append("\(value)") }
      let digits = "\(random.next()).\(random.next())\(random.next())"
      texts.append("\(digits)e\(Int(random.next() % 80) - 60)")
    }
    for text in texts {
      #expect(try bits(text, .fp64) == strtod(text, nil).bitPattern, "\(text)")
      #expect(try bits(text, .fp32) == UInt64(strtof(text, nil).bitPattern), "\(text)")
    }
  }

  @Test func integersAreExact() {
    #expect(NumberText("18446744073709551615")?.value.integer?.magnitude == .max)
    #expect(NumberText("18446744073709551616")?.value.integer == nil)
    #expect(NumberText("-5")?.value.integer.map { $0.isNegative && $0.magnitude == 5 } == true)
    #expect(NumberText("2.5")?.value.integer == nil)
    #expect(NumberText("10")?.isInteger == true && NumberText("1e1")?.isInteger == false)
    for text in ["", "-", "x", "1x", "0x", "1e", "--1", "1.2.3"] {
      #expect(NumberText(text) == nil)
    }
  }
}

/// A small generator (SplitMix64), so that random tests repeat.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

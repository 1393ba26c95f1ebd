import Testing

@testable import MILEngine

@Suite struct LexerTests {
  private func tokens(_ text: String) -> [(kind: TokenKind, text: String)] {
    var text = text
    return text.withUTF8 { bytes in
      var lexer = Lexer(bytes)
      var tokens: [(TokenKind, String)] = []
      while case let token = lexer.next(), token.kind != .end {
        tokens.append((token.kind, lexer.text(of: token)))
      }
      return tokens
    }
  }

  @Test(arguments: [
    "0", "-1", "+3", "1.5", ".5", "5.", "1e-05", "-2.5E+7", "0x1p-3", "-0x1.8cdfbap-5", "0X.8P1",
    "-inf", "+inf", "-nan", "18446744073709551616",
  ]) func numbersAreOneToken(_ text: String) {
    let found = tokens(text)
    #expect(found.map(\.kind) == [.number])
    #expect(found.first?.text == text)
  }

  @Test(arguments: [
    "-", "+", ".", "1e", "1e+", "0x", "0xp1", "0x1p", "1.2.3", "12abc", "-infinity", "-x", "1_000",
  ]) func malformedNumbersAreOneInvalidToken(_ text: String) {
    #expect(tokens(text).map(\.kind) == [.invalid(.malformedNumber)])
  }

  @Test func arrowIsNotANumber() {
    #expect(tokens("->").map(\.kind) == [.arrow])
    #expect(tokens("-1->").map(\.kind) == [.number, .arrow])
  }

  @Test func commentsAreBlank() {
    #expect(tokens("a // b c\n/* d\n * e */ f /**/").map(\.text) == ["a", "f"])
  }

  @Test func faultsAreTokens() {
    #expect(tokens("/* open").map(\.kind) == [.invalid(.openComment)])
    #expect(tokens("\"open").map(\.kind) == [.invalid(.openString)])
    #expect(tokens("\"open\\").map(\.kind) == [.invalid(.openString)])
    #expect(tokens(#""a\n" b"#).map(\.kind) == [.invalid(.unknownEscape), .identifier])
    #expect(tokens("\0 #").map(\.kind) == [.invalid(.strayByte(0)), .invalid(.strayByte(0x23))])
  }

  @Test func stringsGiveUpTheirEscapes() {
    var text = #""a\"b\\" "plain é""#
    text.withUTF8 { bytes in
      var lexer = Lexer(bytes)
      #expect(lexer.content(of: lexer.next()) == #"a"b\"#)
      #expect(lexer.content(of: lexer.next()) == "plain é")
    }
  }

  @Test func placesCountBytesFromOne() {
    var text = "a\n  \"é\" b"
    text.withUTF8 { bytes in
      var lexer = Lexer(bytes)
      _ = lexer.next()
      let string = lexer.next()
      #expect(string.start == SourceLocation(offset: 4, line: 2, column: 3))
      #expect(string.end == SourceLocation(offset: 8, line: 2, column: 7))
      #expect(lexer.next().start == SourceLocation(offset: 9, line: 2, column: 8))
    }
  }
}

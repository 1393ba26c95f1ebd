import Testing

@testable import OrionANE

/// Stop strings, however the text is cut into pieces.
@Suite struct StopStringTests {
  private func shown(_ strings: [String], _ parts: [String]) throws -> (text: String, isOver: Bool)
  {
    var stops = try StopStrings(strings)
    var text: [UInt8] = []
    for part in parts { text += stops.push(Array(part.utf8)) }
    let isOver = stops.isOver
    return (String(decoding: text + stops.flush(), as: UTF8.self), isOver)
  }

  @Test(arguments: [
    (["END"], ["a E", "N", "D b"], "a ", true), (["END"], ["a E", "N", "E"], "a ENE", false),
    (["END"], ["EEN", "DEND"], "E", true), (["aab"], ["aaa", "ab"], "aa", true),
    (["bc", "abcd"], ["ab", "cd"], "a", true), (["abcd", "bc"], ["a", "b", "c", "x"], "a", true),
    (["\n\n"], ["a\n", "b\n", "\nc"], "a\nb", true), (["é😀"], ["é", "é", "😀"], "é", true),
    ([], ["a", "b"], "ab", false), (["x"], [], "", false),
  ])
  func theTextBeforeTheStop(
    _ strings: [String], _ parts: [String], _ expected: String, _ isOver: Bool
  ) throws {
    let found = try shown(strings, parts)
    #expect(found.text == expected && found.isOver == isOver)
  }

  @Test func anyCutShowsTheSame() throws {
    for round in 0..<500 {
      let text = (0..<round % 20).map { _ in Bool.random() ? "a" : "b" }
      let strings = (0..<2).map { _ in
        (0..<Int.random(in: 1...4)).map { _ in Bool.random() ? "a" : "b" }.joined()
      }
      let cut = Int.random(in: 0...text.count)
      let parts = [text[..<cut].joined(), text[cut...].joined()]
      let (whole, pieces) = (try shown(strings, text), try shown(strings, parts))
      #expect(whole.text == pieces.text && whole.isOver == pieces.isOver)
      #expect(whole.isOver == strings.contains { text.joined().contains($0) })
    }
  }

  @Test func anEmptyStopStringIsRefused() {
    #expect(throws: OrionError.self) { try StopStrings(["a", ""]) }
  }
}

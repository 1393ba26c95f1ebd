/// tokenizer.model with the special tokens of the files beside it, which are looked for before the model is asked.
struct SentencePieceTokenizer: TokenizerEngine {
  let vocabulary: Int
  let begin: Int?
  let ends: [Int]
  let mayBePadded = true
  private let library: SentencePieceLibrary
  private let added: [Int: TokenizerSettings.Added]
  private let marks: PrefixTree
  private let addsBegin: Bool
  /// The first models put a space behind each mark, later ones before the whole text alone.
  private let isLegacy: Bool
  private let controls: Set<Int>
  private let anchor: Int

  init(_ path: String, _ settings: TokenizerSettings) throws(OrionError) {
    let model = try SentencePieceModel.read(path)
    let library: SentencePieceLibrary
    do throws(SentencePieceModel.Damage) { library = try SentencePieceLibrary(model) } catch {
      throw OrionError(.file, "\(path): is no SentencePiece model: \(error.reason)")
    }
    let added = try Self.added(library, settings)
    func id(_ name: String, _ own: [UInt8]) -> Int? {
      let ownID = library.id(of: own)
      let own = library.kind(ownID) == .control ? own : []
      let text = settings.text(name).map { Array($0.utf8) } ?? own
      if let row = added.first(where: { text.elementsEqual($1.content.utf8) }) { return row.key }
      let found = text.isEmpty ? library.unknown : library.id(of: text)
      return found == library.unknown ? nil : found
    }
    let marks = try settings.marks()
    begin = id("bos_token", model.beginPiece) ?? marks.begin
    ends = TokenizerSettings.unique(
      marks.ends + (id("eos_token", model.endPiece).map { [$0] } ?? []))
    addsBegin = settings.addsBegin != false && begin != nil
    isLegacy = try settings.boolean("legacy") != false
    vocabulary = max(model.pieces.count - 1, added.keys.max() ?? -1) + 1
    controls = Set(model.pieces.indices.filter { model.pieces[$0].kind == .control })
    var tree = PrefixTree()
    for (id, row) in added { tree.insert(Array(row.content.utf8), value: id) }
    (self.library, self.added, self.marks) = (library, added, tree)
    let anchor = model.pieces.indices.first { library.decode([$0]).isPlainWord }
    guard let anchor else {
      throw OrionError(
        .file,
        "\(path): has no token with a letter or a digit; use the file that the model came with")
    }
    self.anchor = anchor
  }

  private static func added(_ library: SentencePieceLibrary, _ settings: TokenizerSettings)
    throws(OrionError) -> [Int: TokenizerSettings.Added]
  {
    var found = try settings.added()
    for (_, text) in settings.special {
      let id = library.id(of: Array(text.utf8))
      guard library.model.pieces[id].text.elementsEqual(text.utf8), found[id] == nil else {
        continue
      }
      found[id] = TokenizerSettings.Added(content: text)
    }
    for (id, row) in found where library.model.pieces.indices.contains(id) {
      let piece = library.model.pieces[id].text
      guard piece.elementsEqual(row.content.utf8) else {
        throw OrionError(
          .file,
          "\(settings.directory): the added token \(JSONValue(row.content).text) has id \(id),"
            + " which is \(JSONValue(String(decoding: piece, as: UTF8.self)).text) in tokenizer.model"
        )
      }
    }
    return found
  }

  func encode(_ text: [UInt8], addingBegin: Bool) -> [Int] {
    var ids: [Int] = []
    if addingBegin, addsBegin, let begin { ids.append(begin) }
    var (written, place) = (0, 0)
    func end(_ end: Int) {
      guard written < end else { return }
      ids += library.encode(
        Array(text[written..<end]), addingSpace: isLegacy || written == 0)
    }
    while place < text.count {
      guard let (id, matchEnd) = marks.longest(text, from: place) else {
        place += 1
        continue
      }
      end(place)
      ids.append(id)
      (written, place) = (matchEnd, matchEnd)
    }
    end(text.count)
    return ids
  }

  func makeReader(skippingSpecial: Bool) -> any TokenReader {
    let special = skippingSpecial ? Set(added.filter { $1.isSpecial }.keys) : []
    let silent = skippingSpecial ? controls.union(special) : controls.subtracting(added.keys)
    let (library, added) = (library, added)
    return PieceReader(anchor: anchor, silent: silent) {
      Self.decode($0, library, added)
    } byte: {
      library.kind($0) == .byte ? BytePiece.byte(library.model.pieces[$0].text) : nil
    }
  }

  /// The library's text; added tokens stand for themselves.
  private static func decode(
    _ ids: [Int], _ library: SentencePieceLibrary, _ added: [Int: TokenizerSettings.Added]
  ) -> [UInt8] {
    var text: [UInt8] = []
    var run: [Int] = []
    for id in ids {
      if library.kind(id) != nil, added[id] == nil {
        run.append(id)
        continue
      }
      // An id of a padded vocabulary has no text.
      text += library.decode(run) + Array(added[id]?.content.utf8 ?? "".utf8)
      run = []
    }
    return text + library.decode(run)
  }
}

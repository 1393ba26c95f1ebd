/// Makes a program that fails as small as it can while it goes on failing. What failing means is the caller's:
/// the reducer knows the syntax tree, and that a well-formed program stays well formed.
///
/// Since MIL text declares every type, any statement can be cut out of a function: what others still read of
/// it becomes an input.
public struct Reducer {
  /// Whether a text still fails the same way; `nil` ends the search with what was reached.
  public typealias Judge = (String) -> Bool?

  private(set) var tree: SyntaxTree
  private let judge: Judge
  private let isWellFormed: Bool
  private var stopped = false
  private var seen: Set<Int> = []

  /// The smallest program that was found. `text` must parse, and `judge` must say yes to it.
  public static func reduce(_ text: String, while judge: @escaping Judge)
    throws(DiagnosticList) -> String
  {
    var reducer = Reducer(try Parser.parse(text), judge)
    return reducer.run(text)
  }

  private init(_ tree: SyntaxTree, _ judge: @escaping Judge) {
    self.tree = tree
    self.judge = judge
    isWellFormed = Checker.examine(tree, modelDirectory: nil).faults.isEmpty
  }

  private mutating func run(_ text: String) -> String {
    // A text that fails only as it is written, as by its length, stays as it is.
    guard judge(tree.text()) == true else { return text }
    var size = Int.max
    repeat {
      size = tree.text().utf8.count
      keepOneFunction()
      for index in tree.functions.indices { cutStatements(index) }
      for index in tree.functions.indices { dropResults(index) }
      for index in tree.functions.indices { freeConstants(index) }
      dropTrimmings()
      for index in tree.functions.indices { dropArguments(index) }
      shrinkShapes()
    } while tree.text().utf8.count < size && !stopped
    return tree.text()
  }

  /// Takes a candidate when it still fails; every step comes through here.
  mutating func take(_ candidate: SyntaxTree) -> Bool {
    let text = candidate.text()
    guard !stopped, seen.insert(text.hashValue).inserted,
      let parsed = try? Parser.parse(text),
      !isWellFormed || Checker.examine(parsed, modelDirectory: nil).faults.isEmpty
    else { return false }
    guard let fails = judge(text) else {
      stopped = true
      return false
    }
    if fails { tree = parsed }
    return fails
  }

  // MARK: Functions and statements

  private mutating func keepOneFunction() {
    guard tree.functions.count > 1 else { return }
    for function in tree.functions {
      var candidate = tree
      candidate.functions = [function]
      if take(candidate) { return }
    }
  }

  /// Removes stretches of statements, longest first.
  private mutating func cutStatements(_ index: Int) {
    var cut = FunctionCut(tree.functions[index])
    var length = max(cut.statements.count / 2, 1)
    while true {
      var start = 0
      while start < cut.statements.count {
        let kept = cut.keeping {
          $0 < start || $0 >= start + length
        }
        var candidate = tree
        candidate.functions[index] = kept
        if !cut.statements.isEmpty, take(candidate) {
          cut = FunctionCut(tree.functions[index])
        } else {
          start += length
        }
      }
      if length == 1 { return }
      length = max(length / 2, 1)
    }
  }

  private mutating func dropResults(_ index: Int) {
    var position = tree.functions[index].body.results.count - 1
    while position >= 0, tree.functions[index].body.results.count > 1 {
      var candidate = tree
      candidate.functions[index].body.results.remove(at: position)
      candidate.functions[index] = FunctionCut(candidate.functions[index]).live
      _ = take(candidate)
      position = min(position - 1, tree.functions[index].body.results.count - 1)
    }
  }

  /// Makes inputs of constants that need not be known early, weights above all.
  private mutating func freeConstants(_ index: Int) {
    for name in FunctionCut(tree.functions[index]).constants {
      var candidate = tree
      candidate.functions[index] = FunctionCut(tree.functions[index]).freeing(name)
      _ = take(candidate)
    }
  }

  // MARK: Arguments and attributes

  private mutating func dropTrimmings() {
    var candidate = tree
    candidate.attributes = []
    _ = take(candidate)
    for index in tree.functions.indices {
      candidate = tree
      candidate.functions[index].attributes = []
      for position in candidate.functions[index].body.operations.indices {
        candidate.functions[index].body.operations[position].attributes.removeAll {
          $0.name == "name"
        }
      }
      _ = take(candidate)
    }
  }

  private mutating func dropArguments(_ index: Int) {
    for position in tree.functions[index].body.operations.indices.reversed() {
      guard position < tree.functions[index].body.operations.count else { continue }
      for argument in tree.functions[index].body.operations[position].arguments {
        var candidate = tree
        candidate.functions[index].body.operations[position].arguments.removeAll {
          $0.name == argument.name
        }
        candidate.functions[index] = FunctionCut(candidate.functions[index]).live
        if take(candidate), position >= tree.functions[index].body.operations.count { break }
      }
    }
  }

  // MARK: Shapes

  /// Makes lengths of axes smaller, each wherever it stands in the program.
  private mutating func shrinkShapes() {
    for length in ShapeChange.lengths(of: tree).sorted(by: >) where length > 1 {
      for smaller in [1, 2, 32, length / 2] where smaller < length && smaller > 0 {
        if take(ShapeChange(from: length, to: smaller).applied(to: tree)) { break }
      }
    }
  }
}

/// A function with some of its statements cut out. What is still read of them becomes inputs, constants
/// that nobody reads go, and results that nobody computes any more are left out.
struct FunctionCut {
  let function: Function
  /// Positions of the statements that can be cut: all but `const`.
  let statements: [Int]

  init(_ function: Function) {
    self.function = function
    statements = function.body.operations.indices.filter {
      function.body.operations[$0].op != "const"
    }
  }

  /// Names of the constants.
  var constants: [String] {
    function.body.operations.filter { $0.op == "const" }.flatMap(\.outputs).map(\.name)
  }

  /// The function without what does not lead to a result.
  var live: Function {
    var wanted = Set(function.body.results.map(\.name))
    var kept: Set<Int> = []
    for index in function.body.operations.indices.reversed() {
      let operation = function.body.operations[index]
      let isWanted =
        operation.outputs.contains { wanted.contains($0.name) } || operation.outputs.isEmpty
      guard isWanted else { continue }
      kept.insert(index)
      wanted.formUnion(operation.reads)
    }
    return assembled(kept, results: function.body.results)
  }

  /// The function with those statements whose rank among `statements` is wanted.
  func keeping(_ wants: (Int) -> Bool) -> Function {
    let kept = Set(statements.indices.filter(wants).map { statements[$0] })
    let computed = Set(
      statements.flatMap { function.body.operations[$0].outputs.map(\.name) })
    let present = Set(kept.flatMap { function.body.operations[$0].outputs.map(\.name) })
    var results = function.body.results.filter {
      present.contains($0.name) || !computed.contains($0.name)
    }
    // What was read by a statement that went is returned, so that its own statement stays alive.
    let read = Set(kept.flatMap { function.body.operations[$0].reads })
    let returned = Set(results.map(\.name))
    for index in kept.sorted() {
      let outputs = function.body.operations[index].outputs
      let isUsed = outputs.contains { read.contains($0.name) || returned.contains($0.name) }
      if !isUsed, let first = outputs.first {
        results.append(Reference(name: first.name, span: first.span))
      }
    }
    return assembled(kept, results: results)
  }

  /// The function with a constant as an input.
  func freeing(_ name: String) -> Function {
    let others = function.body.operations.indices.filter { index in
      !function.body.operations[index].outputs.contains { $0.name == name }
    }
    return assembled(Set(others), results: function.body.results)
  }

  /// The statements kept, the constants that they and the results read, and inputs for all else.
  private func assembled(_ kept: Set<Int>, results: [Reference]) -> Function {
    let operations = function.body.operations
    let keepsAllConstants = kept.contains { operations[$0].op == "const" }
    var read = Set(results.map(\.name))
    for index in kept where operations[index].op != "const" {
      read.formUnion(operations[index].reads)
    }
    let chosen = operations.indices.filter { index in
      guard operations[index].op == "const" else { return kept.contains(index) }
      let isRead = operations[index].outputs.contains { read.contains($0.name) }
      return isRead && (kept.contains(index) || !keepsAllConstants)
    }
    let defined = Set(chosen.flatMap { operations[$0].outputs.map(\.name) })
    let sources = function.parameters + operations.flatMap(\.outputs)
    var smaller = function
    smaller.body.operations = chosen.map { operations[$0] }
    smaller.body.results = results
    smaller.parameters = sources.filter { read.contains($0.name) && !defined.contains($0.name) }
    return smaller
  }
}

extension Operation {
  /// The names that it reads, nested blocks included.
  var reads: Set<String> {
    var names: Set<String> = []
    for argument in arguments + attributes { argument.value.collect(into: &names) }
    for block in nested {
      var inner = block.body.reads
      inner.subtract(block.parameters.map(\.name))
      names.formUnion(inner)
    }
    return names
  }
}

extension Block {
  /// The names that its statements and results read and nothing in it defines.
  fileprivate var reads: Set<String> {
    let inner = operations.reduce(into: Set(results.map(\.name))) { $0.formUnion($1.reads) }
    return inner.subtracting(operations.flatMap { $0.outputs.map(\.name) })
  }
}

extension ArgumentValue {
  fileprivate func collect(into names: inout Set<String>) {
    switch self {
    case .reference(let reference): names.insert(reference.name)
    case .list(let members): for member in members { member.collect(into: &names) }
    case .literal: break
    }
  }
}

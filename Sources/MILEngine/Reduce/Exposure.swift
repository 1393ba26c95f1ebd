/// A program that returns what it computes on the way, so that each result can be looked at.
public struct Exposure: Sendable {
  /// A result that comes out, in the order of the program.
  public struct Result: Sendable {
    public let name: String
    public let op: String
    public let line: Int
  }
  public let text: String
  public let results: [Result]

  /// `function` of the text with every result that a tensor can hold among its outputs, behind its own; with
  /// `names`, those alone. `nil` when there is no such function.
  public init?(_ text: String, function name: String, names: Set<String>? = nil)
    throws(DiagnosticList)
  {
    var tree = try Parser.parse(text)
    guard let index = tree.functions.firstIndex(where: { $0.name == name }) else { return nil }
    var body = tree.functions[index].body
    var returned = Set(body.results.map(\.name))
    var results: [Result] = []
    for operation in body.operations where operation.op != "const" {
      for output in operation.outputs {
        let isOwn = returned.contains(output.name)
        let isWanted = Self.isTensor(output.type) && names?.contains(output.name) ?? true
        guard isOwn || isWanted else { continue }
        results.append(
          Result(name: output.name, op: operation.op, line: operation.span.start.line))
        guard !isOwn else { continue }
        returned.insert(output.name)
        body.results.append(Reference(name: output.name, span: output.span))
      }
    }
    tree.functions[index].body = body
    self.text = tree.text()
    self.results = results
  }

  private static let dtypes: Set<DType> = [
    .fp16, .fp32, .int32, .int8, .uint8, .int16, .uint16, .bool,
  ]

  private static func isTensor(_ type: MILType) -> Bool {
    guard case .tensor(let dtype, let dimensions) = type else { return false }
    return dtypes.contains(dtype) && (1...5).contains(dimensions.count)
  }
}

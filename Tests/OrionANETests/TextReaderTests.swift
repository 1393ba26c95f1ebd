import Testing

@testable import OrionANE

@Suite struct TextReaderTests {
  private func signature(_ text: String, _ function: String = "main") throws(OrionError)
    -> ProgramSignature
  {
    try TextReader.signature(of: ProgramSource(text: text, weights: nil, function: function))
  }

  @Test func readsPortsInDeclaredOrder() throws {
    let read = try signature(SmallProgram.text)
    #expect(read.inputs.map(\.name) == ["x", "b"])
    #expect(read.outputs.map(\.name) == ["sum", "product"])
    #expect(read.outputs[0].shape == [1, 4, 1, 32] && read.outputs[0].dtype == .fp16)
  }

  @Test func faultsHaveAPlace() {
    let syntax = #expect(throws: OrionError.self) { try signature("program(1.3) { func }") }
    #expect(syntax?.kind == .program)
    #expect(syntax?.message.hasPrefix("model.mil:1:") == true)
    let function = #expect(throws: OrionError.self) { try signature(SmallProgram.text, "decode") }
    #expect(function?.message == "function \"decode\": not in the text; it has main")
  }

  @Test func undefinedResultsAreNamed() {
    let text = SmallProgram.text.replacing("(sum, product)", with: "(sum, nothing)")
    let error = #expect(throws: OrionError.self) { try signature(text) }
    #expect(error?.message.contains("nothing: returned but never defined") == true)
  }
}

/// MIL programs for tests, written from one line per function: in `f(b:3x32,a:3x32)->(z:3x32)` each
/// output is the sum of all inputs, [1, 3, 1, 32] in fp16.

func sumProgram(_ lines: String) -> String {
  "program(1.3)\n{\n\(lines.split(separator: "\n").map { sumFunction($0) }.joined())}"
}

private func sumFunction(_ line: Substring) -> String {
  let parts = line.split { "()->".contains($0) }
  let (inputs, outputs) = (sumPorts(parts[1]), sumPorts(parts[2]))
  var body = ""
  var sum = String(inputs[0].name)
  for (index, input) in inputs.dropFirst().enumerated() {
    body += "        \(input.type) sum\(index) = add(x = \(sum), y = \(input.name));\n"
    sum = "sum\(index)"
  }
  for output in outputs {
    body += "        \(output.type) \(output.name) = mul(x = \(sum), y = fp16(0x1p+0));\n"
  }
  let parameters = inputs.map { "\($0.type) \($0.name)" }.joined(separator: ", ")
  let results = outputs.map(\.name).joined(separator: ", ")
  return "    func \(parts[0])<ios18>(\(parameters)) {\n\(body)    } -> (\(results));\n"
}

private func sumPorts(_ text: Substring) -> [(name: Substring, type: String)] {
  text.split(separator: ",").map { port in
    let parts = port.split(separator: ":")
    let axes = parts[1].split(separator: "x")
    return (parts[0], "tensor<fp16, [1, \(axes[0]), 1, \(axes[1])]>")
  }
}

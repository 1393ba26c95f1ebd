// A package that depends on OrionANE as any other would: doubles 32 numbers on each device it is given.

import OrionANE

let text = """
  program(1.3)
  {
    func main<ios18>(tensor<fp32, [1, 1, 1, 32]> x) {
      tensor<fp32, [1, 1, 1, 32]> y = add(x = x, y = x)[name = string("y")];
    } -> (y);
  }
  """

for name in CommandLine.arguments.dropFirst() {
  let device = try Device(name)
  let program = try device.compile(text)
  let input = try device.makeTensor(for: program.inputs[0])
  let output = try device.makeTensor(.fp32, [1, 1, 1, 32])
  try input.withBytes { bytes in
    for column in 0..<32 {
      bytes.storeBytes(of: Float(column), toByteOffset: 4 * column, as: Float.self)
    }
  }
  try program.evaluate(inputs: [input], outputs: [output])
  let sum = try output.withBytes { bytes in
    (0..<32).reduce(Float(0)) { $0 + bytes.load(fromByteOffset: 4 * $1, as: Float.self) }
  }
  guard sum == 992 else { fatalError("\(device.name): expected 992, got \(sum)") }
  print("\(device.name): the doubled numbers add up to \(sum)")
}

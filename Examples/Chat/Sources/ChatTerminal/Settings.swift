import ChatModel
import OrionANE

/// What the command line says.
struct Settings {
  var bundle = ""
  var device = "auto"
  var adapters: [(name: String, directory: String)] = []
  var options = GenerationOptions()
  var format = TurnFormat.plain
  var prompt: String?

  struct Fault: Error { let message: String }

  init() {}

  init(_ arguments: ArraySlice<String>) throws(Fault) {
    var rest = arguments
    while let name = rest.popFirst() {
      guard name.hasPrefix("--") else {
        guard bundle.isEmpty else { throw Fault(message: "\(name): one bundle at a time") }
        bundle = name
        continue
      }
      guard let value = rest.popFirst() else { throw Fault(message: "\(name) takes a value") }
      guard try set(name, value) else { throw Fault(message: "\(name): no such option") }
    }
    guard !bundle.isEmpty else { throw Fault(message: "name a bundle that orion compile made") }
  }

  private mutating func set(_ name: String, _ value: String) throws(Fault) -> Bool {
    func number<N: LosslessStringConvertible>(_ type: N.Type) throws(Fault) -> N {
      guard let number = N(value) else { throw Fault(message: "\(name) \(value): no number") }
      return number
    }
    switch name {
    case "--device": device = value
    case "--use": options.adapter = value
    case "--max-tokens": options.maxTokens = try number(Int.self)
    case "--temp": options.temperature = try number(Double.self)
    case "--top-p": options.topP = try number(Double.self)
    case "--seed": options.seed = try number(UInt64.self)
    case "--stop": options.stop.append(value)
    case "--prompt": prompt = value
    case "--format":
      guard let found = TurnFormat.all.first(where: { $0.name == value }) else {
        throw Fault(message: "--format \(value): expected plain, chatml or llama3")
      }
      format = found
    case "--adapter":
      let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw Fault(message: "--adapter \(value): expected NAME=DIRECTORY")
      }
      adapters.append((parts[0], parts[1]))
    default: return false
    }
    return true
  }
}

import ANEProfiles
import MILEngine
import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Plays one scene through the framework's calls, as a program on a Mac would make them. It never asks the
/// checker of rules anything.
final class Scene {
  private let scene: SceneText
  private let cache: String
  private let directory: String
  private let text: String
  private let function: CheckedFunction
  private var client: Client
  private var model: ID
  private var table: SurfaceTable
  private var isDeclaredOrder = false
  private var route = "client"
  /// What the last call cost on the clock.
  private var seconds = 0.0

  init(_ scene: SceneText, text: String) throws {
    self.scene = scene
    self.text = text
    cache = try temporaryDirectory()
    directory = try makeModelDirectory(text)
    let program = try Checker.check(try Parser.parse(text), modelDirectory: nil)
    function = try #require(program.functions.first)
    table = SurfaceTable(function, scene.profile)
    client = Client(world: try World(profile: scene.profile, cacheDirectory: cache))
    model = try client.model(directory, key: "1")
  }

  func play() throws {
    for line in scene.lines {
      if let failure = line.failure {
        let error = try #require(throws: Reported.self, "line \(line.number)") { try perform(line) }
        #expect(error.description.contains(failure), "line \(line.number): \(error)")
      } else {
        do { try perform(line) } catch {
          Issue.record("line \(line.number), \(line.verb): \(error)")
        }
      }
    }
  }

  private func perform(_ line: SceneText.Line) throws {
    switch line.verb {
    case "compile", "load", "unload":
      try timed { try client.perform(line.verb, model, options: try client.milOptions()) }
    case "eval": try timed { try evaluate() }
    case "surfaces": try table.make(client)
    case "fill": table.fills[line.subject] = line.numbers
    case "bind": isDeclaredOrder = line.subject == "declared"
    case "rows": table.alignment = try #require(Int(line.subject))
    case "size": table.sizes[line.subject] = try #require(Int(line.value))
    case "share": table.shared[line.subject] = line.value
    case "route": route = line.subject
    case "weights": try writeWeights(line)
    case "expect": try expect(line)
    case "seconds":
      #expect(seconds > Double(line.numbers[0]), "line \(line.number): it took \(seconds) s")
    case "process": try startProcess()
    case "describe":
      let words = line.subject.split(separator: " ").map(String.init)
      let found = try describe(text: try #require(words.first), weights: try #require(words.last))
      #expect(found == line.value, "line \(line.number)")
    default: Issue.record("line \(line.number): unknown verb \(line.verb)")
    }
  }

  /// What a descriptor of the in-memory path becomes: `object`, `nil`, or `crash`.
  private func describe(text kind: String, weights: String) throws -> String {
    let cls = try client.cls("_ANEInMemoryModelDescriptor")
    let name = "modelWithMILText:weights:optionsPlist:"
    let make = try client.method(
      cls, name, as: (@convention(c) (ID?, ID?, ID?, ID?, ID?) -> ID?).self)
    let written = "program(1.3)"
    let text =
      kind == "string" ? try client.string(written) : try client.data(Array(written.utf8))
    let dictionary = weights == "nil" ? nil : try client.dictionary([])
    let made = try client.pool {
      make(cls, try client.selector(name), text, dictionary, nil) != nil
    }
    return client.world.misuse.isEmpty ? (made ? "object" : "nil") : "crash"
  }

  private func timed(_ body: () throws -> Void) rethrows {
    let start = client.world.virtualSeconds
    defer { seconds = client.world.virtualSeconds - start }
    try body()
  }

  private func startProcess() throws {
    client = Client(world: try World(profile: scene.profile, cacheDirectory: cache))
    model = try client.model(directory, key: "1")
    table.forget()
    seconds = client.world.virtualSeconds
  }

  // MARK: Evaluating

  private func evaluate() throws {
    try table.make(client)
    try table.fill(client)
    let inputs = try bindings(function.inputs)
    let outputs = try bindings(function.outputs)
    guard route == "memory" else {
      return try client.evaluate(model, inputs: inputs, outputs: outputs)
    }
    let twin = try client.memoryModel(text)
    defer { try? client.release(twin) }
    try client.setURL(twin, directory)
    try client.memory("load", twin)
    try client.memoryEvaluate(twin, inputs: inputs, outputs: outputs)
  }

  private func bindings(_ ports: [ValueID]) throws -> [(Int, ID)] {
    let names = ports.map { function.values[$0].name }
    let order = isDeclaredOrder ? names : names.sorted()
    return try order.enumerated().map { ($0.offset, try table.surface($0.element)) }
  }

  private func expect(_ line: SceneText.Line) throws {
    let found = try table.read(client, line.subject, count: line.numbers.count)
    let isSame = zip(found, line.numbers).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
    #expect(isSame, "line \(line.number): \(line.subject) is \(found)")
  }

  // MARK: Weights

  /// Writes into the file if it is there, so that the directory stays as old as it is.
  private func writeWeights(_ line: SceneText.Line) throws {
    var bytes = [UInt8](repeating: 0, count: 64)
    func put(_ value: some FixedWidthInteger, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
      }
    }
    let records = line.value.split(separator: "/")
    put(UInt32(records.count), at: 0)
    put(UInt32(2), at: 4)
    for record in records {
      let sides = record.split(separator: "=")
      let count = try #require(Int(sides[0].filter { $0 != " " }))
      let values = sides[1].split(separator: " ").compactMap { Float(String($0)) }
      let start = bytes.count
      bytes += [UInt8](repeating: 0, count: 64)
      put(UInt32(0xdead_beef), at: start)
      put(UInt32(1), at: start + 4)
      put(UInt64(count * 2), at: start + 8)
      put(UInt64(start + 64), at: start + 16)
      for index in 0..<count {
        let half = Float16(values[index % values.count]).bitPattern
        withUnsafeBytes(of: half.littleEndian) { bytes.append(contentsOf: $0) }
      }
      bytes += [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64)
    }
    let path = "\(directory)/\(line.subject)"
    let file = try #require(fopen(path, access(path, F_OK) == 0 ? "r+" : "w"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }
}

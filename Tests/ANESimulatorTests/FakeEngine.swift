/// An engine whose programs are a line of text each: `add(b:2x32, a:2x32) -> (z:2x32)`. Every
/// output is the sum of all inputs. For what the daemon does around an engine.

import ANEProfiles
import MILEngine

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct FakeEngine: Engine {
  func compile(
    text: String, modelDirectory: String, profile: Profile, directory: String, packs: String
  ) throws(EngineFault) {
    if text.hasPrefix("refuse") { throw .program(diagnostics: "1:1: refused", isRefused: true) }
    guard let procedures = FakeProcedure.parse(text), !procedures.isEmpty else {
      throw .program(diagnostics: "1:1: no program", isRefused: false)
    }
    writeFile("\(directory)/program.orion", text)
  }

  func load(directory: String, packs: String) throws(EngineFault) -> [any Procedure] {
    guard let bytes = Files.read("\(directory)/program.orion") else { throw .file("no program") }
    guard let procedures = FakeProcedure.parse(String(decoding: bytes, as: UTF8.self)) else {
      throw .damaged("not what was written")
    }
    return procedures
  }
}

func writeFile(_ path: String, _ text: String) {
  guard let file = fopen(path, "w") else { return }
  fputs(text, file)
  fclose(file)
}

struct FakeProcedure: Procedure {
  let name: String
  let inputs: [EnginePort]
  let outputs: [EnginePort]
  let weightBytes = 1000

  func seconds(on cost: Cost) -> Double { 1e-3 }

  func run(inputs rows: [HostRows], outputs: [HostRows]) throws(EngineFault) {
    for (output, port) in zip(outputs, self.outputs) {
      let (channels, width) = (port.type.shape[1], port.type.shape[3])
      for channel in 0..<channels {
        for column in 0..<width {
          let sum = rows.reduce(Int16(0)) { sum, row in
            sum
              &+ row.address.load(
                fromByteOffset: channel * row.rowBytes + column * 2, as: Int16.self)
          }
          output.address.storeBytes(
            of: sum, toByteOffset: channel * output.rowBytes + column * 2, as: Int16.self)
        }
      }
    }
  }

  /// `nil` for a text with a line of another form.
  static func parse(_ text: String) -> [FakeProcedure]? {
    var procedures: [FakeProcedure] = []
    for line in text.split(separator: "\n") {
      let parts = line.split { "()->".contains($0) }.map { $0.filter { $0 != " " } }
        .filter { !$0.isEmpty }
      guard parts.count == 3, let inputs = ports(parts[1]), let outputs = ports(parts[2]) else {
        return nil
      }
      procedures.append(FakeProcedure(name: parts[0], inputs: inputs, outputs: outputs))
    }
    return procedures
  }

  private static func ports(_ text: String) -> [EnginePort]? {
    let ports = text.split(separator: ",").map { field -> EnginePort? in
      let parts = field.split(separator: ":")
      let axes = parts.last?.split(separator: "x").compactMap { Int($0) } ?? []
      guard parts.count == 2, axes.count == 2 else { return nil }
      return EnginePort(name: String(parts[0]), type: TensorType(.int16, [1, axes[0], 1, axes[1]]))
    }
    let valid = ports.compactMap { $0 }
    return valid.count == ports.count ? valid : nil
  }
}

/// What the daemon asks of the compiler and of the engine behind it.

import ANEProfiles
import MILEngine

protocol Engine: Sendable {
  /// Compiles `text` into `directory`, with packed weights in `packs`.
  func compile(
    text: String, modelDirectory: String, profile: Profile, directory: String, packs: String
  ) throws(EngineFault)
  /// The procedures of what `compile` wrote, in the order of the text.
  func load(directory: String, packs: String) throws(EngineFault) -> [any Procedure]
}

/// Why the engine did not do it.
enum EngineFault: Error, Sendable {
  /// The program is wrong. `isRefused`: it is well-formed, the device refuses it.
  case program(diagnostics: String, isRefused: Bool)
  /// A compiled program does not have the bytes that were written.
  case damaged(String)
  case file(String)
}

struct EnginePort: Sendable {
  let name: String
  let type: TensorType
}

/// A function that is ready to run.
protocol Procedure: Sendable {
  var name: String { get }
  /// In declared order.
  var inputs: [EnginePort] { get }
  var outputs: [EnginePort] { get }
  var weightBytes: Int { get }
  /// Seconds that one run takes beyond the dispatch.
  func seconds(on cost: Cost) -> Double
  func run(inputs: [HostRows], outputs: [HostRows]) throws(EngineFault)
}

/// Memory of rows that are `rowBytes` apart.
struct HostRows: @unchecked Sendable {
  let address: Pointer
  let rowBytes: Int
}

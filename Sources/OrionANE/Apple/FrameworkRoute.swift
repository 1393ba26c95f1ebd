/// One of the framework's ways from a model directory to results: one method a message, in the order in which
/// a program's life uses them. It knows no program and keeps no count.
protocol FrameworkRoute: Sendable {
  typealias Reference = FunctionTable.Reference

  var name: String { get }
  var foreign: Foreign { get }
  var messenger: Messenger { get }

  /// A model object for a directory and what stands for its content.
  func model(_ place: ModelPlace) throws(OrionError) -> ForeignObject
  /// Whether the daemon has compiled this model before.
  func exists(_ model: ForeignObject) throws(OrionError) -> Bool
  func purge(_ model: ForeignObject) throws(OrionError)

  // Each of these three gives `nil` when it was done. `program` is its name in errors.

  func compile(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal?
  func load(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal?
  func unload(_ model: ForeignObject, _ program: String) throws(OrionError) -> Refusal?

  /// What a loaded model says of the procedure called `function`.
  func attributes(_ model: ForeignObject, function: String) throws(OrionError) -> ModelAttributes
  /// Runs a procedure over what stands for its surfaces, in declared order. `nil` when it was done.
  func evaluate(
    _ model: ForeignObject, _ binding: ProgramBinding, inputs: [ForeignObject],
    outputs: [ForeignObject]
  ) throws(OrionError) -> Refusal?
}

/// Which model: a directory with its text and weights, and what identifies them.
struct ModelPlace: Sendable {
  let directory: String
  /// Stands for the directory's content.
  let key: String
  let text: String
  /// Of the weight file as it was first; `nil` without one.
  let weightsHash: String?
  /// The directory is one program's alone, and its weights change.
  let isPrivate: Bool
}

/// The ways that there are.
public enum RouteName: String, Sendable, CaseIterable {
  /// The client's calls, with a model directory and a key of its content.
  case client
  /// A model in memory, identified by a hash of its text and weights.
  case memory
}

/// What both ways use.
enum FrameworkCall {
  /// The framework's default priority.
  static let priority: UInt32 = 21
  static let modelFile = "model.mil"
}

extension FrameworkRoute {
  /// Inside a pool.
  func request(
    _ binding: ProgramBinding, inputs: [ForeignObject], outputs: [ForeignObject]
  ) throws(OrionError) -> ForeignObject {
    let inputArray = try foreign.makeArray(binding.inputOrder.map { inputs[$0].reference })
    let outputArray = try foreign.makeArray(binding.outputOrder.map { outputs[$0].reference })
    let made = try messenger.send(
      SharedMessages.request,
      as: (@convention(c) (
        Reference, Reference, Reference, Reference, Reference, Reference, Reference?, Reference?,
        Reference
      ) -> Reference?).self
    ) { call, receiver, selector in
      foreign.log.call(
        "\(SharedMessages.request.name) \(binding.note)", failure: nil, show: Shown.reference
      ) {
        call(
          receiver, selector, inputArray.reference, binding.inputSymbols.reference,
          outputArray.reference, binding.outputSymbols.reference, nil, nil,
          binding.procedure.reference)
      }
    }
    return try foreign.retained(made, by: SharedMessages.request.name)
  }

  /// `nil` when the message answered yes.
  func refusal(_ row: MessageRow, _ program: String, _ answer: UInt8, _ fault: Reference?)
    -> Refusal?
  {
    guard answer == 0 else { return nil }
    return Refusal(message: row, program: program, fault: fault.map { NativeError($0, foreign) })
  }
}

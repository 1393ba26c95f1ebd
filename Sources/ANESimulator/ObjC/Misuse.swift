/// Wrong uses of the API that would crash or corrupt a Mac: written down with the call's name
/// instead.

import Synchronization

final class Misuse: Sendable {
  private static let limit = 1_000
  private let texts = Mutex<[String]>([])

  /// What was done while no world could be told.
  static let unbound = Misuse()

  var all: [String] { texts.withLock { $0 } }

  private func append(_ text: String) {
    texts.withLock { if $0.count < Misuse.limit { $0.append(text) } }
  }

  /// Notes `text` in `world`, else in the thread's world, else in `unbound`.
  static func record(_ text: String, world: World?) {
    let log = (world ?? ThreadState.current.world)?.misuseLog ?? unbound
    log.append(text)
  }
}

/// A call into the simulated process: checks its arguments and reports under the call's name.
struct Call {
  let name: String
  /// The selector, where it is a message.
  let method: String

  init(_ name: String, method: String = "") {
    self.name = name
    self.method = method
  }

  func misuse(_ text: String, world: World? = nil) {
    Misuse.record("\(name): \(text)", world: world)
  }

  /// The live object at `id`, or `nil` after the misuse was recorded.
  func object<T: Instance>(_ id: Pointer?, as argument: String, _ type: T.Type = T.self) -> T? {
    guard let id else {
      misuse("\(argument) is NULL; expected \(T.kind)")
      return nil
    }
    switch ObjectTable.lookup(id) {
    case .live(let instance):
      if let typed = instance as? T { return typed }
      misuse(
        "\(argument) is \(article(instance.className)); expected \(T.kind)", world: instance.world)
    case .dead(let name):
      misuse(
        "\(argument) is \(article(name)) that was released to zero before; retain it while in use")
    case .unknown:
      misuse("\(argument) \(id) is no object; expected \(T.kind)")
    }
    return nil
  }

  /// As `object`, where NULL is allowed: `.some(nil)` for NULL, `nil` when the misuse was recorded.
  func optional<T: Instance>(_ id: Pointer?, as argument: String, _ type: T.Type = T.self) -> T?? {
    guard id != nil else { return .some(nil) }
    guard let object = object(id, as: argument, type) else { return nil }
    return .some(object)
  }

  private func article(_ name: String) -> String { "an object of class \(name)" }
}

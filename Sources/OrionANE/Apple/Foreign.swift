/// The foreign functions in use: a table, its log, and the rule that every entry runs inside an
/// autorelease pool where the library's calls are valid.
final class Foreign: Sendable {
  typealias Reference = FunctionTable.Reference

  let library: ForeignLibrary
  let table: FunctionTable
  let log: CallLog

  init(_ library: ForeignLibrary, log: CallLog) throws(OrionError) {
    self.library = library
    self.log = log
    table = try FunctionTable(library)
  }

  /// Runs `body` inside a pool. Whatever leaves it must be a `ForeignObject`.
  func enter<R>(_ body: () throws(OrionError) -> R) throws(OrionError) -> R {
    var result: Result<R, OrionError>?
    library.bind {
      let pool = table.poolPush?()
      defer { if let pool { table.poolPop?(pool) } }
      do throws(OrionError) {
        result = .success(try body())
      } catch {
        result = .failure(error)
      }
    }
    guard let result else {
      throw OrionError(.internal, "\(library.name): the call was not carried out")
    }
    return try result.get()
  }

  /// An object from a call whose result is owned (Create, Copy, alloc, new, copy, init).
  func owned(_ reference: Reference?, by call: @autoclosure () -> String)
    throws(OrionError) -> ForeignObject
  {
    guard let reference else { throw Self.gaveNothing(call()) }
    return ForeignObject(adopting: reference, self, isMessageResult: false)
  }

  /// An object from any other message: retained, because the pool will let go of it.
  func retained(_ reference: Reference?, by call: @autoclosure () -> String)
    throws(OrionError) -> ForeignObject
  {
    guard let reference else { throw Self.gaveNothing(call()) }
    return ForeignObject(retaining: reference, self)
  }

  private static func gaveNothing(_ call: String) -> OrionError {
    OrionError(.device, "\(call) returned nothing; expected an object")
  }
}

/// A foreign object, held until this goes.
final class ForeignObject: @unchecked Sendable {
  let reference: FunctionTable.Reference
  private let foreign: Foreign
  private let isMessageResult: Bool

  fileprivate init(
    adopting reference: FunctionTable.Reference, _ foreign: Foreign, isMessageResult: Bool
  ) {
    self.reference = reference
    self.foreign = foreign
    self.isMessageResult = isMessageResult
  }

  fileprivate convenience init(retaining reference: FunctionTable.Reference, _ foreign: Foreign) {
    let table = foreign.table
    _ = table.objectRetain.map { $0(reference) } ?? table.retain(reference)
    self.init(adopting: reference, foreign, isMessageResult: true)
  }

  deinit {
    let table = foreign.table
    let release = isMessageResult ? table.objectRelease ?? table.release : table.release
    try? foreign.enter { () throws(OrionError) in release(reference) }
  }
}

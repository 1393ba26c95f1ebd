/// CFError, which is NSError.

final class ErrorObject: Instance, @unchecked Sendable {
  override class var kind: String { "a CFError" }

  static let descriptionKey = "NSLocalizedDescription"
  static let failureReasonKey = "NSLocalizedFailureReason"

  let domain: StringObject
  let code: Int
  let userInfo: DictionaryObject

  init(domain: String, code: Int, userInfo: [(String, String)], world: World?) {
    self.domain = StringObject(domain, world: world)
    self.code = code
    self.userInfo = DictionaryObject.owning(
      userInfo.map { ($0.0, StringObject($0.1, world: world)) }, world: world)
    super.init(isa: FoundationClasses.named("NSError"), world: world)
  }

  func string(for key: String) -> StringObject? { userInfo.object(key) as? StringObject }

  /// The description given, else one made of the reason or of domain and code; a new object.
  func descriptionString() -> StringObject {
    if let given = string(for: ErrorObject.descriptionKey) { return given.retained() }
    let reason =
      string(for: ErrorObject.failureReasonKey)?.text ?? "(\(domain.text) error \(code).)"
    return StringObject("The operation couldn\u{2019}t be completed. \(reason)", world: world)
  }

  override func isEqual(to other: Instance) -> Bool {
    guard let other = other as? ErrorObject else { return false }
    return other.code == code && other.domain.text == domain.text
      && other.userInfo.isEqual(to: userInfo)
  }
  override var descriptionText: String {
    "Error Domain=\(domain.text) Code=\(code) UserInfo=\(userInfo.descriptionText)"
  }
  override func dispose() {
    domain.release()
    userInfo.release()
  }
}

enum Errors {
  static let symbols = [
    Symbol("CFErrorGetTypeID", { TypeIDs.error } as CoreFoundation.TypeID),
    Symbol(
      "CFErrorGetCode",
      { id in Call("CFErrorGetCode").object(id, as: "err", ErrorObject.self)?.code ?? 0 }
        as CoreFoundation.Length),
    Symbol(
      "CFErrorGetDomain",
      { id in
        Call("CFErrorGetDomain").object(id, as: "err", ErrorObject.self)?.domain.address
      } as CoreFoundation.One),
    Symbol(
      "CFErrorCopyUserInfo",
      { id in
        Call("CFErrorCopyUserInfo").object(id, as: "err", ErrorObject.self)?
          .userInfo.retained().address
      } as CoreFoundation.One),
    Symbol(
      "CFErrorCopyDescription",
      { id in
        Call("CFErrorCopyDescription").object(id, as: "err", ErrorObject.self)?
          .descriptionString().address
      } as CoreFoundation.One),
    Symbol(
      "CFErrorCopyFailureReason",
      { id in
        Call("CFErrorCopyFailureReason").object(id, as: "err", ErrorObject.self)?
          .string(for: ErrorObject.failureReasonKey)?.retained().address
      } as CoreFoundation.One),
  ]
}

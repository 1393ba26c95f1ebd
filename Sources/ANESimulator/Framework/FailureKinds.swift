/// The codes of the framework's own error domain, a row each, with the text that follows the method's
/// name.

extension Failure {
  enum Kind: Int, CaseIterable {
    case restricted = 1
    case priority = 2
    case timeout = 3
    case creation = 4
    case overflow = 5
    case load = 6
    case unsigned = 7
    case inference = 8
    case fileAccess = 9
    case invalidModel = 10
    case invalidKey = 11
    case systemModelPurge = 12
    case map = 13
    case unmap = 14
    case chainingPrepare = 15
    case fileNotFound = 16
    case modelIdentifier = 17
    case baseModelIdentifier = 18
    case cacheIdentifier = 19
    case invalidInstance = 20
    case newInstance = 21
    case hostTooOld = 22
    case programNotFound = 23
    case notSupported = 25

    var text: String {
      switch self {
      case .restricted: "Restricted access; requires (com.apple.aned.private.allow) entitlement"
      case .priority:
        "Realtime priority requires restricted access connection and"
          + " (com.apple.aned.private.allow) entitlement"
      case .timeout: "Operation timed out"
      case .creation: "Program creation failure"
      case .overflow: "Overflow error: queue is full"
      case .load: "Program load failure"
      case .unsigned: "Missing code signing identity"
      case .inference, .programNotFound: "Program Inference error"
      case .fileAccess: "file access failure"
      case .invalidModel: "invalid model"
      case .invalidKey: "invalid model key"
      case .systemModelPurge: "system models are not purged"
      case .map: "Program IOSurfaces map failure"
      case .unmap: "Program IOSurfaces unmap failure"
      case .chainingPrepare: "Program chaining prepare error"
      case .fileNotFound: "file not found"
      case .modelIdentifier: "model identifier not found"
      case .baseModelIdentifier: "base model identifier not found"
      case .cacheIdentifier: "cacheURLIdentifier must be nil"
      case .invalidInstance: "invalid model instance"
      case .newInstance: "new instance load failure"
      case .hostTooOld: "the host is too old"
      case .notSupported: "Not supported"
      }
    }
  }
}

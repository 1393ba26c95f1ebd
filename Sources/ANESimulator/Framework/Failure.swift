/// What the framework, the daemon and the compiler say when a call fails: domain, code and text as
/// a Mac gives them, and beside them the simulator's own explanation.

struct Failure: Error, Sendable {
  let domain: String
  let code: Int
  let text: String
  /// Why, in words; a Mac does not say.
  let reason: String
  /// One diagnostic of the program per line, or empty.
  var diagnostics = ""

  static let diagnosticsKey = "OrionSimulatorDiagnostics"

  static let framework = "com.apple.appleneuralengine"
  static let compiler = "com.apple.appleneuralengine.compiler"
  static let espresso = "com.apple.appleneuralengine.espresso"
  static let connection = "NSCocoaErrorDomain"
  /// For wrong uses that would crash a Mac; no domain of the real framework.
  static let misuse = "orion.simulator.misuse"

  init(domain: String, code: Int, text: String, reason: String, diagnostics: String = "") {
    self.domain = domain
    self.code = code
    self.text = text
    self.reason = reason
    self.diagnostics = diagnostics
  }

  init(_ kind: Kind, in method: String, _ reason: String) {
    self.init(
      domain: Failure.framework, code: kind.rawValue, text: "\(method): \(kind.text)",
      reason: reason)
  }

  /// A load that the driver refused with a status.
  static func load(status: Int, in method: String, _ reason: String) -> Failure {
    let status = String(status, radix: 16, uppercase: true)
    return Failure(
      domain: framework, code: Kind.load.rawValue,
      text: "\(method): \(Kind.load.text) (0x\(status))", reason: reason)
  }

  /// An evaluation that the driver refused with a status.
  static func evaluation(status: Int, _ reason: String) -> Failure {
    let method = "processRequest:model:qos:qIndex:modelStringID:options:returnValue:error:"
    let status = String(status, radix: 16)
    return Failure(
      domain: framework, code: Kind.inference.rawValue,
      text: "\(method): ANEProgramProcessRequestDirect() Failed with status=0x\(status)"
        + " : statusType=0x9: \(Kind.inference.text)", reason: reason)
  }

  /// Surfaces that cannot be mapped into a program.
  static func mapping(in method: String, _ reason: String) -> Failure {
    Failure(
      domain: framework, code: Kind.map.rawValue,
      text: "\(method): \(Kind.map.text) (0x12)", reason: reason)
  }

  /// The compiler's one text. `cause` is its own sub-text, all that a Mac tells.
  static func compile(_ cause: String, diagnostics: String) -> Failure {
    Failure(
      domain: compiler, code: 1, text: "_ANECompiler : ANECCompile() FAILED",
      reason: "\(cause): \(diagnostics)", diagnostics: diagnostics)
  }

  /// The error object, with a count of one.
  func object(_ world: World?) -> ErrorObject {
    var info = [(ErrorObject.descriptionKey, text), (ErrorObject.failureReasonKey, reason)]
    if !diagnostics.isEmpty { info.append((Failure.diagnosticsKey, diagnostics)) }
    return ErrorObject(domain: domain, code: code, userInfo: info, world: world)
  }
}

/// Where a method leaves its error, `NSError **`.
typealias ErrorSlot = UnsafeMutablePointer<Pointer?>

extension Call {
  /// Runs the body of a method that answers a BOOL and may leave an error, which is autoreleased.
  func succeeds(_ slot: ErrorSlot?, in world: World, _ body: () throws(Failure) -> Void) -> Bool {
    do {
      try body()
      return true
    } catch {
      slot?.pointee = error.object(world).autoreleased()
      return false
    }
  }

  /// An argument that may be nil; anything but an object of this class is misuse and fails the
  /// call.
  func argument<T: Instance>(_ id: Pointer?, _ name: String, _ type: T.Type = T.self)
    throws(Failure) -> T?
  {
    guard id != nil else { return nil }
    if let object = object(id, as: name, type) { return object }
    throw Failure(
      domain: Failure.misuse, code: 1,
      text: "\(self.name): \(name) is not \(T.kind); a Mac would crash here",
      reason: "wrong use of the interface; the world's misuse list has the details")
  }

  /// The class that receives a message, with its world.
  func home(_ receiver: Pointer?) -> (ObjectClass, World)? {
    guard let cls = object(receiver, as: "the receiver", ObjectClass.self) else { return nil }
    guard let world = cls.home else {
      misuse("class \(cls.name) is of no world that exists")
      return nil
    }
    return (cls, world)
  }
}

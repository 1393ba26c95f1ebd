/// The client's calls that take an entitlement, or that nobody has seen work: what each answers, as rows.

struct RestrictedCall: Sendable {
  /// The types of its arguments.
  enum Form: String {
    case four = "B@:@@I^@"
    case five = "B@:@@@I^@"
    case hint = "B@:@@@@^@"
  }
  let selector: String
  let form: Form
  let kind: Failure.Kind
  let reason: String
}

enum RestrictedCalls {
  private static let adapters = "com.apple.aned.private.adapterWeight.allow"

  static let rows = [
    RestrictedCall(
      selector: "loadRealTimeModel:options:qos:error:", form: .four, kind: .priority,
      reason: "real-time loads take an entitlement"),
    RestrictedCall(
      selector: "unloadRealTimeModel:options:qos:error:", form: .four, kind: .priority,
      reason: "real-time loads take an entitlement"),
    RestrictedCall(
      selector: "loadModelNewInstance:options:modelInstParams:qos:error:", form: .five,
      kind: .restricted, reason: "adapter weights take the entitlement \(adapters)"),
    // M3 Max under macOS 15, M4 Max, M3 Pro: 15. Once prepared on M5 under 26.3, the rest failed.
    RestrictedCall(
      selector: "prepareChainingWithModel:options:chainingReq:qos:error:", form: .five,
      kind: .chainingPrepare, reason: "chaining has not been seen to work"),
    RestrictedCall(
      selector: "buffersReadyWithModel:inputBuffers:options:qos:error:", form: .five,
      kind: .chainingPrepare, reason: "chaining was not prepared"),
    RestrictedCall(
      selector: "enqueueSetsWithModel:outputSet:options:qos:error:", form: .five,
      kind: .chainingPrepare, reason: "chaining was not prepared"),
    RestrictedCall(
      selector: "sessionHintWithModel:hint:options:report:error:", form: .hint,
      kind: .notSupported, reason: "session hints are not played"),
  ]

  static let methods =
    rows.map { row in
      switch row.form {
      case .four: Method(row.selector, row.form.rawValue, four)
      case .five: Method(row.selector, row.form.rawValue, five)
      case .hint: Method(row.selector, row.form.rawValue, hint)
      }
    } + [
      Method("isVirtualClient", "B@:", no), Method("isRootDaemon", "B@:", no),
      // NO without an entitlement; what is evaluated as real time runs all the same.
      Method("beginRealTimeTask", "B@:", no), Method("endRealTimeTask", "B@:", no),
      Method(
        "evaluateRealTimeWithModel:options:request:error:", "B@:@@@^@",
        { receiver, selector, model, options, request, slot in
          ClientClass.run(selector, receiver, model, options, request, slot)
        } as @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, ErrorSlot?) -> Bool),
      Method(
        "reportEvaluateFailure:failureReason:qIdx:", "v@:@IQ",
        { _, _, _, _, _ in }
          as @convention(c) (Pointer?, Pointer?, Pointer?, UInt32, UInt64) -> Void),
    ]

  private static let no: ClientClass.Flag = { _, _ in false }

  private static let four:
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool = {
      receiver, selector, _, _, _, slot in refuse(receiver, selector, slot)
    }
  private static let five:
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, UInt32, ErrorSlot?) -> Bool =
      { receiver, selector, _, _, _, _, slot in refuse(receiver, selector, slot) }
  private static let hint:
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, ErrorSlot?) ->
      Bool = { receiver, selector, _, _, _, _, slot in refuse(receiver, selector, slot) }

  private static func refuse(_ receiver: Pointer?, _ selector: Pointer?, _ slot: ErrorSlot?)
    -> Bool
  {
    ClientClass.perform(selector, receiver, slot) { (call, _) throws(Failure) in
      let row = rows.first { $0.selector == call.method }
      throw Failure(
        row?.kind ?? .notSupported, in: call.method, row?.reason ?? "the call is not played")
    }
  }
}

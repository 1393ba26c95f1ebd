/// The C interface: any calls in any order, with handles of any kind, nulls and odd sizes. A call ends with
/// a known status, and a failed one says why.
enum InterfaceTarget {
  static func run(_ bytes: [UInt8]) -> CInt {
    var caller = Caller(Draw(bytes))
    while !caller.draw.isEmpty, caller.budget > 0 { caller.call() }
    caller.close()
    return 0
  }
}

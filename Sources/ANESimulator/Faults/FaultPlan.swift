/// What is to go wrong, as text: `load@3=error:6/0x50004; eval@2+=delay:0.5; compile@1=disconnect`.
///
///     plan      = row (";" row)*
///     row       = operation "@" number ["+"] "=" effect        number: counted from 1; +: and all later
///     operation = compile | load | map | eval | unload | file
///     effect    = error ":" code ["/" status]   the framework's code, and the driver's status of it
///               | refuse                        the compiler's no, without a reason
///               | delay ":" seconds             on the virtual clock; a load of 30 s and more times out
///               | disconnect                    the daemon restarts: its loaded programs are gone
///               | full                          no space left on the disk
///               | stale                         what is cached is served, whatever the files hold
///               | flip                          a bit of the cached program changes

public struct FaultPlan: Sendable, Equatable {
  public enum Operation: String, Sendable, CaseIterable {
    case compile, load, map, eval, unload
    /// An operation of the daemon that makes, fills or renames a file of its cache.
    case file
  }

  enum Effect: Sendable, Equatable {
    case error(code: Int, status: Int?)
    case refuse
    case delay(seconds: Double)
    case disconnect, full, stale, flip

    var name: String {
      switch self {
      case .error: "error"
      case .refuse: "refuse"
      case .delay: "delay"
      case .disconnect: "disconnect"
      case .full: "full"
      case .stale: "stale"
      case .flip: "flip"
      }
    }
  }

  struct Row: Sendable, Equatable {
    let operation: Operation
    let number: Int
    let isLasting: Bool
    let effect: Effect

    func strikes(_ count: Int) -> Bool { isLasting ? count >= number : count == number }
  }

  let rows: [Row]

  /// Nothing goes wrong.
  public static let none = FaultPlan(rows: [])

  private init(rows: [Row]) { self.rows = rows }

  /// Reads a plan; an error names the column.
  public init(_ text: String) throws(SimulatorError) {
    var reader = FaultPlanReader(text)
    rows = try reader.plan()
  }

  /// Which effects an operation can have.
  static let effects: [(operation: Operation, effects: [String])] = [
    (.compile, ["error", "refuse", "delay", "disconnect", "full", "flip"]),
    (.load, ["error", "delay", "disconnect", "stale", "flip"]),
    (.map, ["error", "delay"]),
    (.eval, ["error", "delay", "disconnect"]),
    (.unload, ["error", "delay", "disconnect"]),
    (.file, ["full"]),
  ]
}

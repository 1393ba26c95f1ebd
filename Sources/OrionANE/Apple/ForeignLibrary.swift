/// Who answers the private framework's calls: the framework itself, or a stand-in with the same symbols.
struct ForeignLibrary: Sendable {
  /// For messages, as `AppleNeuralEngine.framework`.
  let name: String
  /// What `dlsym` gives: functions, and addresses of variables.
  let symbol: @Sendable (String) -> UnsafeMutableRawPointer?
  /// Runs its argument, on the calling thread, where the library's calls are valid.
  let bind: @Sendable (() -> Void) -> Void
  /// A clock of the library's own; 0 where time is real.
  let virtualSeconds: @Sendable () -> Double
  /// Compiles that the library has done, those that a load needed included; `nil` where it does not say.
  let compiles: @Sendable () -> Int?
  /// Takes a plan of what goes wrong and says what is wrong with the plan; `nil` where fate has none.
  var follow: (@Sendable (String) -> String?)?
}

import ANEProfiles

/// A place where programs run: `cpu`, a simulated Neural Engine, or a real one. It knows no model.
///
/// May be used from several threads at once.
public final class Device: Sendable {
  /// What sort of device it is.
  public let kind: DeviceKind
  /// Why this kind was chosen, as `auto: cpu, because …`; for a device that was named, its name.
  public let reason: String
  let backend: any Backend
  /// Where this device keeps what it compiled.
  let caches: CacheDirectory

  /// Opens `cpu`, `sim`, `sim:PROFILE`, `ane` or `auto`.
  public init(_ name: String, options: DeviceOptions = DeviceOptions()) throws(OrionError) {
    let choice = try DeviceChoice(name)
    let opened = try choice.open(options)
    kind = opened.kind
    reason = opened.reason
    backend = opened.backend
    caches = opened.caches
  }

  init(kind: DeviceKind, reason: String, backend: any Backend, caches: CacheDirectory) {
    self.kind = kind
    self.reason = reason
    self.backend = backend
    self.caches = caches
  }

  /// `cpu`, `ane`, or `sim:PROFILE`; a host with another arithmetic is `cpu` too, its `reason` says which.
  public var name: String { kind == .sim ? "sim:\(profile.fullName)" : kind.rawValue }
  /// What is known of its chip and system: limits, rules, arithmetic.
  public var profile: Profile { backend.profile }
  /// How programs reach the device: `host`, `client` or `memory`.
  public var route: String { backend.route }
  /// What it has compiled, loaded and evaluated.
  public var counters: Counters { backend.counters }

  /// Makes things go wrong on a simulated device, as `load@3=error:6/0x50004; eval@2+=delay:0.5`; an empty plan
  /// ends that. docs/simulator.md has the form.
  public func follow(faults plan: String) throws(OrionError) { try backend.follow(faults: plan) }

  /// The recorded calls of the private framework, one a line, in order; empties the record.
  public func takeTrace() -> String { backend.takeTrace() }

  /// Memory with the row stride this device wants, zeroed.
  public func makeTensor(_ dtype: DType, _ shape: [Int]) throws(OrionError) -> Tensor {
    try makeTensor(try layout(dtype, shape))
  }

  /// Memory for an input or output of a program, zeroed.
  public func makeTensor(for port: Port) throws(OrionError) -> Tensor {
    try makeTensor(port.layout)
  }

  /// Memory with a given layout, zeroed.
  public func makeTensor(_ layout: Layout) throws(OrionError) -> Tensor {
    Tensor(storage: try backend.makeStorage(layout), backend: backend)
  }

  /// Compiles `function` of a MIL text, or finds it in the cache, and loads it. `weights` is the file that
  /// the text names after `@model_path/`, or the directory that holds all it names. A patchable program gets a copy of that file which
  /// `Program.withWeights` opens for writing and `Program.reload` loads.
  public func compile(
    _ text: String, weights: String? = nil, function: String = "main", isPatchable: Bool = false
  ) throws(OrionError) -> Program {
    let source = ProgramSource(
      text: text, weights: weights, function: function, isPatchable: isPatchable)
    return Program(loaded: try backend.load(source), backend: backend, name: function)
  }

  /// Whether weights that were written in place take effect when their program is reloaded: compiles a small
  /// program, changes its weights, reloads it and looks at what it computes.
  public func reloadTakesEffect() throws(OrionError) -> Bool {
    try Canary(device: self).reload() == .effective
  }
}

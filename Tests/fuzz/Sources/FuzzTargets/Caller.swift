import COrionANE

/// One sequence of calls and the handles it was given. What the calls are stands in the files beside this one.
struct Caller {
  var draw: Draw
  /// Calls cost this; an input that spent it is done.
  var budget = 64
  /// Freed when the input ends.
  private(set) var owned: [(handle: orion_handle, free: (orion_handle) -> orion_status)] = []
  /// Sequences that are open, with their sessions.
  var sequences: [(session: orion_handle, sequence: orion_handle)] = []

  init(_ draw: Draw) {
    self.draw = draw
    _ = StandingWorld.all
  }

  /// A call by weight, with what it costs beside the one of every call.
  struct Row: Sendable {
    let weight: Int
    let cost: Int
    let call: @Sendable (inout Caller) -> Void
  }

  static let rows: [Row] = tensorRows + programRows + sessionRows + textRows + kernelRows
  /// A row for each number that a byte holds, as often as its weight says.
  private static let choices: [Int] = rows.indices.flatMap {
    Array(repeating: $0, count: rows[$0].weight)
  }

  mutating func call() {
    let row = Self.rows[Self.choices[draw.below(Self.choices.count)]]
    budget -= 1 + row.cost
    row.call(&self)
  }

  mutating func close() {
    // A plan of faults is the input's own.
    for device in [StandingWorld.devices[1], StandingWorld.passing[1]] {
      judge(orion_device_faults(device, nil), "device_faults")
    }
    for entry in sequences { _ = orion_sequence_close(entry.session, entry.sequence) }
    for entry in owned.reversed() { _ = entry.free(entry.handle) }
  }

  mutating func own(
    _ handle: orion_handle, _ status: orion_status, _ free: @escaping (orion_handle) -> orion_status
  ) {
    if status == ORION_OK { owned.append((handle, free)) }
  }

  /// Frees one of the input's own, or frees it and keeps the stale handle.
  mutating func free() {
    guard !owned.isEmpty else { return }
    let index = draw.below(owned.count)
    let entry = draw.below(2) == 0 ? owned.remove(at: index) : owned[index]
    _ = entry.free(entry.handle)
  }

  func judge(_ status: orion_status, _ call: String) {
    expect((0...8).contains(status), "\(call) gave status \(status)")
    guard status != ORION_OK else { return }
    let message = StandingWorld.lastError
    expect(!message.isEmpty, "\(call) failed without a message")
    expect(
      status != orion_status(ORION_ERROR_INTERNAL), "\(call): internal error: \(message)")
  }

  // MARK: - Drawing

  /// A handle of any kind, or none.
  mutating func handle() -> orion_handle {
    switch draw.below(4) {
    case 0: draw.pick(StandingWorld.all)
    case 1: stranger()
    default: owned.isEmpty ? 0 : draw.pick(owned.map(\.handle))
    }
  }

  /// A handle that no table gave.
  mutating func stranger() -> orion_handle { draw.word() | 1 << 63 }

  /// Mostly what fits.
  mutating func handle(of kind: [orion_handle]) -> orion_handle {
    draw.below(8) == 0 ? handle() : draw.pick(kind)
  }

  mutating func device() -> orion_handle {
    handle(of: StandingWorld.devices + StandingWorld.passing)
  }

  mutating func program() -> orion_handle {
    handle(of: StandingWorld.programs.map(\.program) + [StandingWorld.keeper])
  }

  mutating func session() -> orion_handle { handle(of: StandingWorld.sessions) }

  /// Mostly an open sequence and its session.
  mutating func sequence() -> (session: orion_handle, sequence: orion_handle) {
    if sequences.isEmpty || draw.below(8) == 0 { return (session(), handle()) }
    return draw.pick(sequences)
  }

  mutating func size() -> Int64 {
    draw.pick([1, 2, 3, 32, 64, 5, 0, -1, .max, .min, 1 << 40, Int64(draw.byte())])
  }

  mutating func path() -> String {
    draw.pick(["/nonexistent", "", "/", ScratchFile.directory, "/dev/null"])
  }

  /// What a call that gives text is handed in.
  typealias Text = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  /// Makes a call that gives text, at times without a place for it.
  mutating func text(_ name: String, _ call: (Text?) -> orion_status) {
    var text: UnsafeMutablePointer<CChar>?
    judge(draw.below(16) == 0 ? call(nil) : call(&text), name)
    orion_text_free(text)
  }
}

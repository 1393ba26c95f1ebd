/// Small questions to a device whose answers are not known for every chip and system; each makes its programs,
/// looks, and says what it saw. They run on one route.
struct Probes {
  let device: Device
  let route: RouteName
  private let bench: ProbeBench

  init(device: Device, route: RouteName) throws(OrionError) {
    self.device = device
    self.route = route
    guard let backend = device.backend as? AppleBackend else {
      throw OrionError(.argument, "device \(device.name): probes are for Neural Engines")
    }
    bench = ProbeBench(backend, room: device.caches.privateModels)
  }

  private struct Row: Sendable {
    let id: String
    let question: String
    /// The route that it is about; `nil`: both.
    var route: RouteName?
    let ask: @Sendable (Probes) throws(OrionError) -> [JSONMember]
  }

  /// {id, route, question, answer…} or {…, error}, one a probe.
  func run() -> [JSONValue] {
    Self.rows.filter { $0.route == nil || $0.route == route }.map { row in
      let head = [
        JSONMember("id", JSONValue(row.id)), JSONMember("route", JSONValue(route.rawValue)),
        JSONMember("question", JSONValue(row.question)),
      ]
      do throws(OrionError) {
        return .object(head + (try row.ask(self)))
      } catch {
        return .object(head + [JSONMember("error", JSONValue(error.message))])
      }
    }
  }

  private static let rows: [Row] = [
    Row(
      id: "a", question: "do purge, new files and a load change the weights?",
      ask: { probes throws(OrionError) in try probes.purgeAndReload() }),
    Row(
      id: "b", question: "does unload delete the temporary directory?", route: .memory,
      ask: { probes throws(OrionError) in try probes.directoryAfterUnload() }),
    Row(
      id: "c", question: "does a model in memory need files made by hand?", route: .memory,
      ask: { probes throws(OrionError) in try probes.filesOfTheFramework() }),
    Row(
      id: "d", question: "how many programs are loaded at once, and does unload give places back?",
      ask: { probes throws(OrionError) in try probes.loadedPrograms() }),
    Row(
      id: "e", question: "are there requests with shared events?", route: .client,
      ask: { probes throws(OrionError) in try probes.found(KnownMessages.sharedEvents) }),
    Row(
      id: "f", question: "are there hardware times?", route: .client,
      ask: { probes throws(OrionError) in try probes.found(KnownMessages.performanceStats) }),
    Row(
      id: "g", question: "do concat, rsqrt and gelu run with all their arguments?",
      ask: { probes throws(OrionError) in try probes.operations() }),
    Row(
      id: "h", question: "does a program take 17 tensors of one file, and of 17 files?",
      ask: { probes throws(OrionError) in try probes.weightFiles() }),
    Row(
      id: "i", question: "which widths compute right?",
      ask: { probes throws(OrionError) in try probes.widths() }),
    Row(
      id: "j", question: "does a buffer of int8 go in?",
      ask: { probes throws(OrionError) in try probes.byteBuffer() }),
    Row(
      id: "k", question: "how fast are 8 convolutions over distinct weights, and over equal ones?",
      ask: { probes throws(OrionError) in try probes.convolutions() }),
  ]
}

extension Probes {
  private func member(_ name: String, _ value: JSONValue) -> JSONMember { JSONMember(name, value) }

  fileprivate func purgeAndReload() throws(OrionError) -> [JSONMember] {
    let model = try bench.model(ProbeText.scaled, weights: ["weights.bin": ProbeText.weight(2)])
    defer { bench.end(model) }
    try bench.bring(model)
    let before = try bench.first(model)
    let began = ProbeClock.seconds()
    try bench.unload(model)
    try bench.purge(model)
    try bench.write(ProbeText.weight(3), to: "weights.bin", of: model)
    try bench.load(model)
    let took = ProbeClock.seconds() - began
    let after = try bench.first(model)
    return [
      member("before", .number(Double(before))), member("after", .number(Double(after))),
      member("changed", .bool(after == 3)), member("seconds", .number(took)),
    ]
  }

  fileprivate func directoryAfterUnload() throws(OrionError) -> [JSONMember] {
    let path = try bench.localDirectoryAfterUnload(ProbeText.plain(width: 64, mark: 71))
    return [member("deleted", .bool(!path.exists))]
  }

  fileprivate func filesOfTheFramework() throws(OrionError) -> [JSONMember] {
    let refusal = try bench.loadWithoutFiles(ProbeText.plain(width: 64, mark: 72))
    return [
      member("needs_files", .bool(refusal != nil)),
      member("reason", refusal.map { JSONValue($0) } ?? .null),
    ]
  }

  /// Loads until the device refuses or there are more than any was seen to hold.
  fileprivate func loadedPrograms() throws(OrionError) -> [JSONMember] {
    var models: [ProbeBench.Model] = []
    defer { for model in models { bench.end(model) } }
    var refusal: String?
    while models.count < 256, refusal == nil {
      let model = try bench.model(ProbeText.plain(width: 64, mark: models.count))
      do throws(OrionError) {
        try bench.bring(model)
        models.append(model)
      } catch {
        refusal = error.message
        bench.end(model)
      }
    }
    var givesBack: JSONValue = .null
    if refusal != nil, let last = models.popLast() {
      bench.end(last)
      let again = try bench.model(ProbeText.plain(width: 64, mark: 999))
      do throws(OrionError) {
        try bench.bring(again)
        givesBack = true
        models.append(again)
      } catch {
        givesBack = false
        bench.end(again)
      }
    }
    return [
      member("loaded", JSONValue(models.count)),
      member("refusal", refusal.map { JSONValue($0) } ?? .null),
      member("unload_gives_back", givesBack),
    ]
  }

  fileprivate func found(_ type: String) throws(OrionError) -> [JSONMember] {
    [member("class", JSONValue(type)), member("found", .bool(bench.hasClass(type)))]
  }

  fileprivate func operations() throws(OrionError) -> [JSONMember] {
    var results: [JSONMember] = []
    for (name, text, expected) in ProbeText.operations {
      results.append(member(name, verdict(try bench.attempt(text, expected: expected))))
    }
    return results
  }

  fileprivate func weightFiles() throws(OrionError) -> [JSONMember] {
    var results: [JSONMember] = []
    for (name, files) in [("one_file", 1), ("seventeen_files", 17)] {
      let (text, weights) = ProbeText.sums(files: files)
      results.append(
        member(name, verdict(try bench.attempt(text, weights: weights, expected: 18))))
    }
    return results
  }

  fileprivate func widths() throws(OrionError) -> [JSONMember] {
    var results: [JSONMember] = []
    for width in [1, 16, 32, 48, 64, 96] {
      let text = ProbeText.plain(width: width, mark: 1)
      results.append(member("\(width)", verdict(try bench.attempt(text, expected: 1))))
    }
    return results
  }

  fileprivate func byteBuffer() throws(OrionError) -> [JSONMember] {
    [member("result", verdict(try bench.attempt(ProbeText.byteBuffer, expected: 1)))]
  }

  fileprivate func convolutions() throws(OrionError) -> [JSONMember] {
    var results: [JSONMember] = []
    for (name, isDistinct) in [("distinct_ms", true), ("equal_ms", false)] {
      let (text, weights) = ProbeText.convolutions(isDistinct: isDistinct)
      let model = try bench.model(text, weights: weights)
      defer { bench.end(model) }
      try bench.bring(model)
      results.append(member(name, .number(try bench.milliseconds(model, times: 10))))
    }
    return results
  }

  private func verdict(_ attempt: ProbeBench.Attempt) -> JSONValue {
    switch attempt {
    case .right: "right"
    case .wrong(let value): JSONValue("wrong: \(value)")
    case .refused(let reason): JSONValue("refused: \(reason)")
    }
  }
}

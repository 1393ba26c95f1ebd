/// _ANERequest: which surfaces stand for which symbols of which procedure.

import Synchronization

final class RequestObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANERequest" }

  let inputs: ArrayObject?
  let inputIndices: ArrayObject?
  let outputs: ArrayObject?
  let outputIndices: ArrayObject?
  let procedureIndex: NumberObject?
  /// Surfaces for the engine's time.
  let statistics: ArrayObject?
  /// What is waited for and signalled.
  let events: EventsObject?

  init(
    inputs: ArrayObject?, inputIndices: ArrayObject?, outputs: ArrayObject?,
    outputIndices: ArrayObject?, procedureIndex: NumberObject?, statistics: ArrayObject?,
    events: EventsObject?, isa: ObjectClass, world: World
  ) {
    self.inputs = inputs?.retained()
    self.inputIndices = inputIndices?.retained()
    self.outputs = outputs?.retained()
    self.outputIndices = outputIndices?.retained()
    self.procedureIndex = procedureIndex?.retained()
    self.statistics = statistics?.retained()
    self.events = events?.retained()
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    for array in [inputs, inputIndices, outputs, outputIndices, statistics] { array?.release() }
    procedureIndex?.release()
    events?.release()
  }

  private let handler = Mutex<Block?>(nil)

  func take(_ handler: Block?) { self.handler.withLock { $0 = handler } }

  /// Runs `body` while the request is kept: another thread may drop it while the engine works. The
  /// completion handler is called before this returns, as it is without shared events.
  func inFlight(_ body: () throws(Failure) -> Void) throws(Failure) {
    retained()
    defer { release() }
    let handler = handler.withLock { $0 }
    do throws(Failure) {
      try body()
      handler?.complete(true, nil)
    } catch {
      if let handler { handler.complete(false, error.object(world).autoreleased()) }
      throw error
    }
  }

  /// Goes back at once; the engine works when the events to wait for have come, signals the others and calls the
  /// handler, which there must be.
  func leave(
    _ events: EventsObject, _ call: Call, _ body: @escaping @Sendable () throws(Failure) -> Void
  ) throws(Failure) {
    guard let handler = handler.withLock({ $0 }) else {
      throw Failure(
        domain: Failure.misuse, code: 1,
        text: "\(call.name): a request with sharedEvents has no completion handler; a Mac would not"
          + " tell when it is done",
        reason: "call setCompletionHandler: first")
    }
    retained()
    let method = call.method
    let hasLeft = Errand.start {
      defer { self.release() }
      do throws(Failure) {
        guard events.wait() else {
          throw Failure(.timeout, in: method, "an event that the request waits for did not come")
        }
        try body()
        events.signal()
        handler.complete(true, nil)
      } catch {
        let object = error.object(self.world)
        handler.complete(false, object.address)
        object.release()
      }
    }
    guard !hasLeft else { return }
    release()
    throw Failure(.overflow, in: method, "no thread could be had for the request")
  }

  /// Writes the engine's time where the request wants it.
  func tell(nanoseconds: UInt64) {
    for surface in statistics?.objects(StatsSurfaceObject.self) ?? [] {
      surface.write(nanoseconds: nanoseconds)
    }
  }

  /// A surface and the symbol it stands for.
  struct Binding {
    let symbol: Int
    let surface: Surface
  }

  /// The largest number of surfaces on either side.
  private static let buffersMax = 255
  private static let proceduresMax = 128

  /// The procedure and both sides, or what is wrong with the request.
  func bindings() throws(Failure) -> (procedure: Int, inputs: [Binding], outputs: [Binding]) {
    guard let number = procedureIndex?.integer, let procedure = Int(exactly: number),
      (0...RequestObject.proceduresMax).contains(procedure)
    else {
      throw .evaluation(
        status: 0x1d,
        "the request's procedureIndex is \(procedureIndex?.descriptionText ?? "nil");"
          + " expected a number from 0 to \(RequestObject.proceduresMax)")
    }
    return (
      procedure, try side("input", inputs, inputIndices),
      try side("output", outputs, outputIndices)
    )
  }

  private func side(_ name: String, _ surfaces: ArrayObject?, _ indices: ArrayObject?)
    throws(Failure) -> [Binding]
  {
    guard let surfaces = surfaces?.objects(SurfaceObject.self),
      let indices = indices?.objects(NumberObject.self), !surfaces.isEmpty,
      surfaces.count == indices.count, surfaces.count <= RequestObject.buffersMax
    else {
      throw .evaluation(
        status: 0x1d,
        "the request's \(name)s are \(surfaces?.elements.count ?? 0) objects with"
          + " \(indices?.elements.count ?? 0) indices; expected 1 to \(RequestObject.buffersMax)"
          + " _ANEIOSurfaceObjects and as many numbers")
    }
    return zip(surfaces, indices).map {
      Binding(symbol: $1.integer.flatMap { Int(exactly: $0) } ?? -1, surface: $0.surface)
    }
  }
}

enum RequestClass {
  static let row = ClassRow(
    name: "_ANERequest", superclass: "NSObject",
    classMethods: [
      Method(
        "\(start)procedureIndex:", "@@:@@@@@",
        { receiver, _, inputs, inputIndices, outputs, outputIndices, procedure in
          make(receiver, [inputs, inputIndices, outputs, outputIndices], nil, nil, procedure)
        }
          as @convention(c) (
            Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?
          ) -> Pointer?),
      Method(
        "\(start)perfStats:procedureIndex:", "@@:@@@@@@",
        { receiver, _, inputs, inputIndices, outputs, outputIndices, statistics, procedure in
          make(
            receiver, [inputs, inputIndices, outputs, outputIndices], nil, statistics, procedure)
        } as SixArguments),
      Method(
        "\(start)weightsBuffer:procedureIndex:", "@@:@@@@@@",
        { receiver, _, inputs, inputIndices, outputs, outputIndices, weights, procedure in
          make(receiver, [inputs, inputIndices, outputs, outputIndices], weights, nil, procedure)
        } as SixArguments),
      Method(
        "\(start)weightsBuffer:perfStats:procedureIndex:", "@@:@@@@@@@",
        {
          receiver, _, inputs, inputIndices, outputs, outputIndices, weights, statistics,
          procedure in
          make(
            receiver, [inputs, inputIndices, outputs, outputIndices], weights, statistics,
            procedure)
        }
          as @convention(c) (
            Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?
          ) -> Pointer?),
      Method(
        "\(full)sharedEvents:", "@@:@@@@@@@@",
        {
          receiver, _, inputs, inputIndices, outputs, outputIndices, weights, statistics,
          procedure, events in
          make(
            receiver, [inputs, inputIndices, outputs, outputIndices], weights, statistics,
            procedure, events)
        }
          as @convention(c) (
            Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?,
            Pointer?, Pointer?
          ) -> Pointer?, since: 26),
      Method(
        "\(full)sharedEvents:transactionHandle:", "@@:@@@@@@@@@",
        {
          receiver, _, inputs, inputIndices, outputs, outputIndices, weights, statistics,
          procedure, events, _ in
          make(
            receiver, [inputs, inputIndices, outputs, outputIndices], weights, statistics,
            procedure, events)
        }
          as @convention(c) (
            Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?,
            Pointer?, Pointer?, Pointer?
          ) -> Pointer?, since: 26),
    ],
    instanceMethods: [
      Method(
        "validate", "B@:",
        { receiver, _ in
          let call = Call("-[_ANERequest validate]")
          let request = call.object(receiver, as: "the receiver", RequestObject.self)
          return (try? request?.bindings()) != nil
        } as @convention(c) (Pointer?, Pointer?) -> Bool),
      Method(
        "ioSurfacesCount", "Q@:",
        { receiver, _ in
          let call = Call("-[_ANERequest ioSurfacesCount]")
          let request = call.object(receiver, as: "the receiver", RequestObject.self)
          let sides = [request?.inputs, request?.outputs]
          return UInt64(sides.reduce(0) { $0 + ($1?.elements.count ?? 0) })
        } as @convention(c) (Pointer?, Pointer?) -> UInt64),
      Method("setCompletionHandler:", "v@:@?", setHandler),
    ])

  private static let start = "requestWithInputs:inputIndices:outputs:outputIndices:"
  private static let full = "\(start)weightsBuffer:perfStats:procedureIndex:"

  private static let setHandler: @convention(c) (Pointer?, Pointer?, Pointer?) -> Void = {
    receiver, _, block in
    let call = Call("-[_ANERequest setCompletionHandler:]")
    guard let request = call.object(receiver, as: "the receiver", RequestObject.self) else {
      return
    }
    let handler = block.flatMap { Block(copying: $0) }
    if block != nil, handler == nil { call.misuse("the handler is no block", world: request.world) }
    request.take(handler)
  }

  private typealias SixArguments =
    @convention(c) (
      Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?
    ) -> Pointer?

  /// `weights` are taken and ignored, as the device does; `statistics` must be an array of surfaces.
  private static func make(
    _ receiver: Pointer?, _ arrays: [Pointer?], _ weights: Pointer?, _ statistics: Pointer?,
    _ procedure: Pointer?, _ events: Pointer? = nil
  ) -> Pointer? {
    let call = Call("+[_ANERequest \(start)…]")
    let names = ["inputs", "inputIndices", "outputs", "outputIndices"]
    guard let (cls, world) = call.home(receiver),
      let procedure = call.optional(procedure, as: "procedureIndex", NumberObject.self),
      call.optional(weights, as: "weightsBuffer", SurfaceObject.self) != nil,
      let statistics = call.optional(statistics, as: "perfStats", ArrayObject.self),
      let events = call.optional(events, as: "sharedEvents", EventsObject.self)
    else { return nil }
    guard statistics == nil || statistics?.objects(StatsSurfaceObject.self) != nil else {
      call.misuse("perfStats holds an object that does not answer statType", world: world)
      return nil
    }
    var sides: [ArrayObject?] = []
    for (name, array) in zip(names, arrays) {
      guard let side = call.optional(array, as: name, ArrayObject.self) else { return nil }
      sides.append(side)
    }
    return RequestObject(
      inputs: sides[0], inputIndices: sides[1], outputs: sides[2], outputIndices: sides[3],
      procedureIndex: procedure, statistics: statistics, events: events, isa: cls, world: world
    ).autoreleased()
  }
}

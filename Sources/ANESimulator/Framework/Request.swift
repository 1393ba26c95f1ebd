/// _ANERequest: which surfaces stand for which symbols of which procedure.

import Synchronization

final class RequestObject: Instance, @unchecked Sendable {
  override class var kind: String { "an _ANERequest" }

  let inputs: ArrayObject?
  let inputIndices: ArrayObject?
  let outputs: ArrayObject?
  let outputIndices: ArrayObject?
  let procedureIndex: NumberObject?

  init(
    inputs: ArrayObject?, inputIndices: ArrayObject?, outputs: ArrayObject?,
    outputIndices: ArrayObject?, procedureIndex: NumberObject?, isa: ObjectClass, world: World
  ) {
    self.inputs = inputs?.retained()
    self.inputIndices = inputIndices?.retained()
    self.outputs = outputs?.retained()
    self.outputIndices = outputIndices?.retained()
    self.procedureIndex = procedureIndex?.retained()
    super.init(isa: isa, world: world)
  }

  override func dispose() {
    for array in [inputs, inputIndices, outputs, outputIndices] { array?.release() }
    procedureIndex?.release()
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
          withoutEvents(receiver, events) {
            make(
              receiver, [inputs, inputIndices, outputs, outputIndices], weights, statistics,
              procedure)
          }
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
          withoutEvents(receiver, events) {
            make(
              receiver, [inputs, inputIndices, outputs, outputIndices], weights, statistics,
              procedure)
          }
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

  /// Shared events are the graphics framework's objects, which there are none of here.
  private static func withoutEvents(
    _ receiver: Pointer?, _ events: Pointer?, _ make: () -> Pointer?
  ) -> Pointer? {
    guard events != nil else { return make() }
    let call = Call("+[_ANERequest \(start)…]")
    call.misuse("sharedEvents are not played; pass nil", world: call.home(receiver)?.1)
    return nil
  }

  private typealias SixArguments =
    @convention(c) (
      Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?
    ) -> Pointer?

  /// `weights` are taken and ignored, as the device does; `statistics` must be an array.
  private static func make(
    _ receiver: Pointer?, _ arrays: [Pointer?], _ weights: Pointer?, _ statistics: Pointer?,
    _ procedure: Pointer?
  ) -> Pointer? {
    let call = Call("+[_ANERequest \(start)…]")
    let names = ["inputs", "inputIndices", "outputs", "outputIndices"]
    guard let (cls, world) = call.home(receiver),
      let procedure = call.optional(procedure, as: "procedureIndex", NumberObject.self),
      call.optional(weights, as: "weightsBuffer", SurfaceObject.self) != nil,
      call.optional(statistics, as: "perfStats", ArrayObject.self) != nil
    else { return nil }
    var sides: [ArrayObject?] = []
    for (name, array) in zip(names, arrays) {
      guard let side = call.optional(array, as: name, ArrayObject.self) else { return nil }
      sides.append(side)
    }
    return RequestObject(
      inputs: sides[0], inputIndices: sides[1], outputs: sides[2], outputIndices: sides[3],
      procedureIndex: procedure, isa: cls, world: world
    ).autoreleased()
  }
}

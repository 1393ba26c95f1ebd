/// The client's messages that map surfaces ahead of an evaluation.

enum ClientSurfaces {
  static let methods = [
    Method("mapIOSurfacesWithModel:request:cacheInference:error:", "B@:@@B^@", map),
    Method(
      "unmapIOSurfacesWithModel:request:", "v@:@@",
      { _, _, _, _ in } as @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?) -> Void),
  ]

  /// Slots of the driver's mapping call.
  private static let buffersMax = 128

  private static let map:
    @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Bool, ErrorSlot?) -> Bool = {
      receiver, selector, model, request, _, slot in
      ClientClass.perform(selector, receiver, slot) { (call, world) throws(Failure) in
        let model: ModelObject? = try call.argument(model, "model")
        guard let request: RequestObject = try call.argument(request, "request") else {
          throw .mapping(in: call.method, "the request is nil")
        }
        guard model?.state.program != nil else {
          throw Failure(.programNotFound, in: call.method, "the model is not loaded")
        }
        _ = try world.daemon.meet(.map, call.method)
        let (_, inputs, outputs) = try request.bindings()
        guard inputs.count + outputs.count <= buffersMax else {
          throw .mapping(
            in: call.method,
            "the request has \(inputs.count + outputs.count) surfaces, the driver maps"
              + " \(buffersMax)")
        }
      }
    }
}

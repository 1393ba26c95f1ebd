// The C interface's functions on sessions.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

extension Session: HandleObject { static var handleKind: String { "session" } }

@c @implementation
public func orion_session_open(
  _ device: orion_handle, _ bundle: UnsafePointer<CChar>?,
  _ session: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let device = try HandleTable.shared.object(device, as: Device.self)
    let bundle = try CArguments.text(bundle, "bundle")
    let session = try CArguments.required(session, "session")
    session.pointee = HandleTable.shared.insert(try Session(device: device, bundle: bundle))
  }
}

@c @implementation
public func orion_session_close(_ session: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    // A call that still runs on another thread ends soon instead of using the device on.
    try HandleTable.shared.remove(session, as: Session.self).cancel()
  }
}

@c @implementation
public func orion_session_json(
  _ session: orion_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    let json = try CArguments.required(json, "json")
    try CArguments.give(session.bundle.manifest.facts.text, json)
  }
}

@c @implementation
public func orion_session_reset(_ session: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(session, as: Session.self).reset()
  }
}

@c @implementation
public func orion_session_feed(
  _ session: orion_handle, _ tokens: UnsafePointer<Int32>?, _ count: Int,
  _ logits: UnsafeMutablePointer<Float>?, _ logit_rows: Int
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    try CArguments.checkCount(count, "count")
    let tokens = count == 0 ? nil : try CArguments.required(tokens, "tokens")
    let logits = logit_rows == 0 ? nil : try CArguments.required(logits, "logits")
    try session.feed(
      UnsafeBufferPointer(start: tokens, count: count), logits: logits, rows: logit_rows)
  }
}

@c @implementation
public func orion_session_sampling(
  _ session: orion_handle, _ sampling: UnsafePointer<orion_sampling>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    try session.use(Sampling(try CArguments.required(sampling, "sampling")))
  }
}

@c @implementation
public func orion_session_generate(
  _ session: orion_handle, _ capacity: Int, _ tokens: UnsafeMutablePointer<Int32>?,
  _ count: UnsafeMutablePointer<Int>?, _ finished: UnsafeMutablePointer<UInt32>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    try CArguments.checkCount(capacity, "capacity")
    let tokens = capacity == 0 ? nil : try CArguments.required(tokens, "tokens")
    let count = try CArguments.required(count, "count")
    let finished = try CArguments.required(finished, "finished")
    let result = try session.generate(
      into: UnsafeMutableBufferPointer(start: tokens, count: capacity))
    count.pointee = result.count
    finished.pointee = result.finish.rawValue
  }
}

@c @implementation
public func orion_session_cancel(_ session: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(session, as: Session.self).cancel()
  }
}

extension Sampling {
  fileprivate init(_ options: UnsafePointer<orion_sampling>) throws(OrionError) {
    let size = UInt32(MemoryLayout<orion_sampling>.size)
    guard options.pointee.struct_size == size else {
      throw OrionError(
        .argument,
        "sampling.struct_size: expected \(size), got \(options.pointee.struct_size);"
          + " set it to sizeof(orion_sampling)")
    }
    let options = options.pointee
    self.init(
      temperature: Double(options.temperature), topK: Int(options.top_k),
      topP: Double(options.top_p), minP: Double(options.min_p),
      repetitionPenalty: Double(options.repetition_penalty), seed: options.seed)
  }
}

extension CArguments {
  /// A size that no memory has is a negative number here.
  fileprivate static func checkCount(_ count: Int, _ name: String) throws(OrionError) {
    guard count >= 0 else {
      throw OrionError(
        .argument, "\(name): \(UInt(bitPattern: count)) is more than any memory holds")
    }
  }
}

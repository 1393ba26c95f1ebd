// The C interface's functions on one sequence of a session.
// The names are the header's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import COrionANE

extension TokenSequence: HandleObject { static var handleKind: String { "sequence" } }

@c @implementation
public func orion_sequence_open(
  _ session: orion_handle, _ sequence: UnsafeMutablePointer<orion_handle>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    let sequence = try CArguments.required(sequence, "sequence")
    sequence.pointee = HandleTable.shared.insert(session.open())
  }
}

@c @implementation
public func orion_sequence_close(_ session: orion_handle, _ sequence: orion_handle)
  -> orion_status
{
  LastError.status { () throws(OrionError) in
    _ = try CArguments.sequence(session, sequence)
    try HandleTable.shared.remove(sequence, as: TokenSequence.self)
  }
}

@c @implementation
public func orion_sequence_reset(_ session: orion_handle, _ sequence: orion_handle)
  -> orion_status
{
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    try session.reset(sequence)
  }
}

@c @implementation
public func orion_sequence_truncate(
  _ session: orion_handle, _ sequence: orion_handle, _ length: Int
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    try CArguments.checkCount(length, "length")
    try session.truncate(sequence, to: length)
  }
}

@c @implementation
public func orion_sequence_sampling(
  _ session: orion_handle, _ sequence: orion_handle, _ sampling: UnsafePointer<orion_sampling>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    let options = try CArguments.required(sampling, "sampling").pointee
    try CArguments.checkSize(options.struct_size, of: orion_sampling.self, "sampling")
    try session.use(
      Sampling(
        temperature: Double(options.temperature), topK: Int(options.top_k),
        topP: Double(options.top_p), minP: Double(options.min_p),
        repetitionPenalty: Double(options.repetition_penalty), seed: options.seed),
      in: sequence)
  }
}

@c @implementation
public func orion_sequence_speculation(
  _ session: orion_handle, _ sequence: orion_handle,
  _ speculation: UnsafePointer<orion_speculation>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    let options = try CArguments.required(speculation, "speculation").pointee
    try CArguments.checkSize(options.struct_size, of: orion_speculation.self, "speculation")
    try session.use(
      Speculation(
        draftMax: Int(options.draft_max), ngramMax: Int(options.ngram_max),
        ngramMin: Int(options.ngram_min)),
      in: sequence)
  }
}

@c @implementation
public func orion_sequence_counters(
  _ session: orion_handle, _ sequence: orion_handle,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let sequence = try CArguments.sequence(session, sequence).sequence
    let json = try CArguments.required(json, "json")
    let counters = sequence.counters
    let facts: JSONValue = [
      "steps": JSONValue(counters.steps), "drafted": JSONValue(counters.drafted),
      "accepted": JSONValue(counters.accepted), "tokens": JSONValue(counters.tokens),
      "length": JSONValue(sequence.count),
    ]
    try CArguments.give(facts.text, json)
  }
}

extension CArguments {
  /// A session and one of its sequences.
  static func sequence(_ session: orion_handle, _ sequence: orion_handle) throws(OrionError)
    -> (session: Session, sequence: TokenSequence)
  {
    let session = try HandleTable.shared.object(session, as: Session.self)
    let handle = sequence
    let sequence = try HandleTable.shared.object(handle, as: TokenSequence.self)
    guard sequence.departures === session.departures else {
      throw OrionError(
        .handle,
        "sequence handle 0x\(String(handle, radix: 16)): it belongs to another session")
    }
    return (session, sequence)
  }

  /// A size that no memory has is a negative number here.
  static func checkCount(_ count: Int, _ name: String) throws(OrionError) {
    guard count >= 0 else {
      throw OrionError(
        .argument, "\(name): \(UInt(bitPattern: count)) is more than any memory holds")
    }
  }

  fileprivate static func checkSize<T>(_ size: UInt32, of type: T.Type, _ name: String)
    throws(OrionError)
  {
    let expected = UInt32(MemoryLayout<T>.size)
    guard size == expected else {
      throw OrionError(
        .argument,
        "\(name).struct_size: expected \(expected), got \(size);"
          + " set it to sizeof(orion_\(name))")
    }
  }
}

// The C interface's functions on sessions; those on one sequence alone are in SequenceExports.swift.
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
    let session = try HandleTable.shared.remove(session, as: Session.self)
    HandleTable.shared.removeAll(of: TokenSequence.self) { $0.departures === session.departures }
    // A call that still runs on another thread ends soon instead of using the device on.
    session.cancel()
  }
}

@c @implementation
public func orion_session_json(
  _ session: orion_handle, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let session = try HandleTable.shared.object(session, as: Session.self)
    let json = try CArguments.required(json, "json")
    try CArguments.give(session.facts.text, json)
  }
}

@c @implementation
public func orion_session_feed(
  _ session: orion_handle, _ sequence: orion_handle, _ tokens: UnsafePointer<Int32>?,
  _ count: Int, _ logits: UnsafeMutablePointer<Float>?, _ logit_rows: Int
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    try CArguments.checkCount(count, "count")
    let tokens = count == 0 ? nil : try CArguments.required(tokens, "tokens")
    let logits = logit_rows == 0 ? nil : try CArguments.required(logits, "logits")
    try session.checkRows(logit_rows, of: count)
    let text = Session.Text(
      sequence: sequence, tokens: UnsafeBufferPointer(start: tokens, count: count))
    try session.feed([text], logits: logits, rows: logit_rows)
  }
}

@c @implementation
public func orion_session_feed_batch(
  _ session: orion_handle, _ sequence_count: Int, _ sequences: UnsafePointer<orion_handle>?,
  _ counts: UnsafePointer<Int>?, _ tokens: UnsafePointer<Int32>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let handle = session
    let session = try HandleTable.shared.object(handle, as: Session.self)
    try CArguments.checkCount(sequence_count, "sequence_count")
    if sequence_count == 0 { return }
    let counts = try CArguments.required(counts, "counts")
    var texts: [Session.Text] = []
    var start = 0
    for sequence in try CArguments.array(sequences, count: sequence_count, "sequences") {
      let count = counts[texts.count]
      try CArguments.checkCount(count, "counts[\(texts.count)]")
      let (end, overflows) = start.addingReportingOverflow(count)
      try CArguments.checkCount(overflows ? -1 : end, "all counts")
      let first = count == 0 ? nil : try CArguments.required(tokens, "tokens") + start
      texts.append(
        Session.Text(
          sequence: try CArguments.sequence(handle, sequence).sequence,
          tokens: UnsafeBufferPointer(start: first, count: count)))
      start = end
    }
    try session.feed(texts)
  }
}

@c @implementation
public func orion_session_generate(
  _ session: orion_handle, _ sequence: orion_handle, _ capacity: Int,
  _ tokens: UnsafeMutablePointer<Int32>?, _ count: UnsafeMutablePointer<Int>?,
  _ finished: UnsafeMutablePointer<UInt32>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let (session, sequence) = try CArguments.sequence(session, sequence)
    try CArguments.checkCount(capacity, "capacity")
    let tokens = capacity == 0 ? nil : try CArguments.required(tokens, "tokens")
    let count = try CArguments.required(count, "count")
    let finished = try CArguments.required(finished, "finished")
    var lanes = [
      Decoder.Lane(sequence, into: UnsafeMutableBufferPointer(start: tokens, count: capacity))
    ]
    try session.generate(&lanes)
    count.pointee = lanes[0].count
    finished.pointee = lanes[0].reason
  }
}

@c @implementation
public func orion_session_generate_batch(
  _ session: orion_handle, _ sequence_count: Int, _ sequences: UnsafePointer<orion_handle>?,
  _ capacity: Int, _ tokens: UnsafeMutablePointer<Int32>?,
  _ counts: UnsafeMutablePointer<Int>?, _ finished: UnsafeMutablePointer<UInt32>?
) -> orion_status {
  LastError.status { () throws(OrionError) in
    let handle = session
    let session = try HandleTable.shared.object(handle, as: Session.self)
    try CArguments.checkCount(sequence_count, "sequence_count")
    try CArguments.checkCount(capacity, "capacity")
    let (total, overflows) = sequence_count.multipliedReportingOverflow(by: capacity)
    try CArguments.checkCount(overflows ? -1 : total, "sequence_count x capacity")
    if sequence_count == 0 { return }
    let tokens = capacity == 0 ? nil : try CArguments.required(tokens, "tokens")
    let counts = try CArguments.required(counts, "counts")
    let finished = try CArguments.required(finished, "finished")
    var lanes: [Decoder.Lane] = []
    for sequence in try CArguments.array(sequences, count: sequence_count, "sequences") {
      let row = tokens.map { $0 + lanes.count * capacity }
      lanes.append(
        .init(
          try CArguments.sequence(handle, sequence).sequence,
          into: UnsafeMutableBufferPointer(start: row, count: capacity)))
    }
    try session.generate(&lanes)
    for (index, lane) in lanes.enumerated() {
      counts[index] = lane.count
      finished[index] = lane.reason
    }
  }
}

@c @implementation
public func orion_session_cancel(_ session: orion_handle) -> orion_status {
  LastError.status { () throws(OrionError) in
    try HandleTable.shared.object(session, as: Session.self).cancel()
  }
}

extension Decoder.Lane {
  /// Why it stopped, by the number that the C interface gives.
  fileprivate var reason: UInt32 { (finish ?? .count).rawValue }
}

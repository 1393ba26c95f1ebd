import COrionANE
import Testing

@testable import OrionANE

/// The C interface's functions on sessions, over a model that can be computed by hand.
@Suite struct SessionExportTests {
  private final class Scene {
    let bundle: TinyBundle
    let device: orion_handle
    let session: orion_handle
    let sequence: orion_handle
    private let directory: TemporaryDirectory

    init() throws {
      bundle = try TinyBundle()
      directory = try TemporaryDirectory()
      device = HandleTable.shared.insert(
        Device(
          kind: .cpu, reason: "test", backend: try TinyBackend(bundle.model),
          caches: try CacheDirectory(directory.path)))
      var handle: orion_handle = 0
      let status = orion_session_open(device, bundle.path, &handle)
      try #require(status == ORION_OK, "\(SessionExportTests.message)")
      session = handle
      try #require(orion_sequence_open(session, &handle) == ORION_OK)
      sequence = handle
    }

    deinit {
      orion_session_close(session)
      orion_device_close(device)
    }
  }

  static var message: String { String(cString: orion_last_error()) }

  @Test func feedsAndGenerates() throws {
    let scene = try Scene()
    let tokens: [Int32] = [9, 3]
    var logits = [Float](repeating: 0, count: 22)
    #expect(orion_session_feed(scene.session, scene.sequence, tokens, 2, &logits, 2) == ORION_OK)
    let expected = scene.bundle.model.logits(tokens).flatMap { $0 }
    #expect(zip(logits, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    var ids = [Int32](repeating: -1, count: 8)
    var count = 0
    var finished: UInt32 = 9
    #expect(
      orion_session_generate(scene.session, scene.sequence, 8, &ids, &count, &finished) == ORION_OK)
    #expect(ids == scene.bundle.model.continuation(tokens, 8))
    #expect(count == 8 && finished == 0)
    #expect(orion_sequence_reset(scene.session, scene.sequence) == ORION_OK)
    #expect(orion_session_feed(scene.session, scene.sequence, tokens, 2, nil, 0) == ORION_OK)
    #expect(orion_session_feed(scene.session, scene.sequence, nil, 0, nil, 0) == ORION_OK)
    #expect(
      orion_session_generate(scene.session, scene.sequence, 0, nil, &count, &finished) == ORION_OK)
    #expect(count == 0 && finished == 0)
    #expect(orion_session_cancel(scene.session) == ORION_OK)
  }

  @Test func samples() throws {
    let scene = try Scene()
    var sampling = orion_sampling()
    sampling.struct_size = UInt32(MemoryLayout<orion_sampling>.size)
    (sampling.temperature, sampling.top_p, sampling.repetition_penalty) = (1, 1, 1)
    #expect(orion_sequence_sampling(scene.session, scene.sequence, &sampling) == ORION_OK)
    sampling.top_p = 0
    #expect(
      orion_sequence_sampling(scene.session, scene.sequence, &sampling) == ORION_ERROR_ARGUMENT)
    #expect(SessionExportTests.message.contains("top_p"))
    sampling.struct_size = 4
    #expect(
      orion_sequence_sampling(scene.session, scene.sequence, &sampling) == ORION_ERROR_ARGUMENT)
    #expect(SessionExportTests.message.contains("struct_size"))
    #expect(orion_sequence_sampling(scene.session, scene.sequence, nil) == ORION_ERROR_ARGUMENT)
  }

  @Test func tellsTheFacts() throws {
    let scene = try Scene()
    var text: UnsafeMutablePointer<CChar>?
    #expect(orion_session_json(scene.session, &text) == ORION_OK)
    let json = try #require(text)
    defer { orion_text_free(json) }
    let facts = try JSONReader.read(Array(String(cString: json).utf8))
    #expect(facts["format"] == 1 && facts["profile"] == "cpu" && facts["vocabulary"] == 11)
    #expect(facts["context"] == 21 && facts["end_tokens"] == [2] && facts["begin_token"] == 1)
  }

  @Test func refusesWrongArguments() throws {
    let scene = try Scene()
    let (session, sequence) = (scene.session, scene.sequence)
    var tokens: [Int32] = [1, 2, 3, 4]
    var logits = [Float](repeating: 7, count: 11)
    var count = 5
    var finished: UInt32 = 5
    var handle: orion_handle = 5
    let odd = UnsafeMutableRawPointer(bitPattern: 0x1001)?.assumingMemoryBound(to: Int32.self)
    let rows: [(status: Int, part: String, call: () -> orion_status)] = [
      (
        ORION_ERROR_ARGUMENT, "tokens: null",
        { orion_session_feed(session, sequence, nil, 2, nil, 0) }
      ),
      (ORION_ERROR_ARGUMENT, "tokens", { orion_session_feed(session, sequence, odd, 2, nil, 0) }),
      (
        ORION_ERROR_ARGUMENT, "count", { orion_session_feed(session, sequence, tokens, -1, nil, 0) }
      ),
      (
        ORION_ERROR_ARGUMENT, "logits: null",
        { orion_session_feed(session, sequence, tokens, 2, nil, 1) }
      ),
      (
        ORION_ERROR_ARGUMENT, "logit_rows",
        { orion_session_feed(session, sequence, tokens, 2, &logits, 3) }
      ),
      (
        ORION_ERROR_ARGUMENT, "logit_rows",
        { orion_session_feed(session, sequence, tokens, 2, &logits, -1) }
      ),
      (
        ORION_ERROR_CONTEXT, "22",
        { orion_session_feed(session, sequence, Array(repeating: 1, count: 22), 22, nil, 0) }
      ),
      (
        ORION_ERROR_ARGUMENT, "capacity",
        { orion_session_generate(session, sequence, .min, &tokens, &count, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "tokens: null",
        { orion_session_generate(session, sequence, 1, nil, &count, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "count: null",
        { orion_session_generate(session, sequence, 1, &tokens, nil, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "finished: null",
        { orion_session_generate(session, sequence, 1, &tokens, &count, nil) }
      ),
      (
        ORION_ERROR_ARGUMENT, "empty",
        { orion_session_generate(session, sequence, 1, &tokens, &count, &finished) }
      ),
      (ORION_ERROR_ARGUMENT, "json: null", { orion_session_json(session, nil) }),
      (ORION_ERROR_ARGUMENT, "bundle: null", { orion_session_open(scene.device, nil, &handle) }),
      (
        ORION_ERROR_ARGUMENT, "session: null",
        { orion_session_open(scene.device, scene.bundle.path, nil) }
      ),
      (ORION_ERROR_FILE, "not a directory", { orion_session_open(scene.device, "/none", &handle) }),
      (
        ORION_ERROR_HANDLE, "expected a device, got a session",
        { orion_session_open(session, scene.bundle.path, &handle) }
      ),
    ]
    for row in rows {
      #expect(row.call() == row.status)
      #expect(SessionExportTests.message.contains(row.part), "\(SessionExportTests.message)")
    }
    #expect(tokens == [1, 2, 3, 4] && count == 5 && finished == 5 && handle == 5)
    #expect(logits == [Float](repeating: 7, count: 11))
  }

  @Test func refusesHandlesThatAreNone() throws {
    let scene = try Scene()
    var closed: orion_handle = 0
    #expect(orion_session_open(scene.device, scene.bundle.path, &closed) == ORION_OK)
    var orphan: orion_handle = 0
    #expect(orion_sequence_open(closed, &orphan) == ORION_OK)
    #expect(orion_session_feed(scene.session, orphan, nil, 0, nil, 0) == ORION_ERROR_HANDLE)
    #expect(SessionExportTests.message.contains("another session"))
    #expect(orion_session_close(closed) == ORION_OK)
    var count = 0
    var finished: UInt32 = 0
    var token: Int32 = 1
    let session = scene.session
    for handle in [0, closed, scene.device, .max] {
      let statuses = [
        orion_session_close(handle), orion_session_json(handle, nil),
        orion_sequence_open(handle, nil), orion_session_cancel(handle),
        orion_session_generate_batch(handle, 0, nil, 0, nil, nil, nil),
        orion_session_feed(handle, scene.sequence, &token, 1, nil, 0),
        orion_session_generate(handle, scene.sequence, 1, &token, &count, &finished),
        orion_sequence_close(handle, scene.sequence), orion_sequence_reset(handle, scene.sequence),
      ]
      #expect(statuses.allSatisfy { $0 == ORION_ERROR_HANDLE })
      #expect(SessionExportTests.message.contains("handle"))
    }
    // The orphan went with its session.
    for handle in [0, orphan, session, .max] {
      let handles = [scene.sequence, handle]
      let statuses = [
        orion_sequence_close(session, handle), orion_sequence_reset(session, handle),
        orion_sequence_truncate(session, handle, 0),
        orion_sequence_sampling(session, handle, nil),
        orion_sequence_speculation(session, handle, nil),
        orion_sequence_counters(session, handle, nil),
        orion_session_feed(session, handle, &token, 1, nil, 0),
        orion_session_generate(session, handle, 1, &token, &count, &finished),
        orion_session_generate_batch(session, 2, handles, 0, &token, &count, &finished),
      ]
      #expect(statuses.allSatisfy { $0 == ORION_ERROR_HANDLE })
      #expect(SessionExportTests.message.contains("handle"))
    }
  }

  @Test func decodesSeveralAtOnce() throws {
    let scene = try Scene()
    let session = scene.session
    var other: orion_handle = 0
    #expect(orion_sequence_open(session, &other) == ORION_OK)
    #expect(
      orion_session_feed_batch(session, 2, [scene.sequence, other], [2, 1], [9, 3, 5] as [Int32])
        == ORION_OK)
    #expect(orion_session_feed_batch(session, 0, nil, nil, nil) == ORION_OK)
    var speculation = orion_speculation(
      struct_size: UInt32(MemoryLayout<orion_speculation>.size), draft_max: 4, ngram_max: 3,
      ngram_min: 1)
    #expect(orion_sequence_speculation(session, other, &speculation) == ORION_OK)
    let sequences = [scene.sequence, other]
    var ids = [Int32](repeating: -1, count: 10)
    var counts = [9, 9]
    var finished: [UInt32] = [9, 9]
    #expect(
      orion_session_generate_batch(session, 2, sequences, 5, &ids, &counts, &finished) == ORION_OK)
    let model = scene.bundle.model
    for (row, prompt) in [[9, 3], [5] as [Int32]].enumerated() {
      let expected = model.continuation(prompt, 5)
      #expect(Array(ids[row * 5..<row * 5 + counts[row]]) == expected)
      #expect(finished[row] == (expected.last == 2 ? 1 : 0))
    }
    var text: UnsafeMutablePointer<CChar>?
    #expect(orion_sequence_counters(session, other, &text) == ORION_OK)
    let counters = try JSONReader.read(Array(String(cString: #require(text)).utf8))
    orion_text_free(text)
    #expect(counters["tokens"] == .integer(Int64(counts[1])))
    #expect(counters["length"] == .integer(Int64(counts[1] + 1)))
    #expect(counters["steps"] != nil && counters["drafted"] != nil && counters["accepted"] != nil)
    #expect(orion_sequence_truncate(session, other, 1) == ORION_OK)
    #expect(orion_sequence_close(session, other) == ORION_OK)
    #expect(orion_session_generate_batch(session, 0, nil, 5, nil, nil, nil) == ORION_OK)
    speculation.ngram_min = 4
    let rows: [(part: String, call: () -> orion_status)] = [
      ("ngram_min", { orion_sequence_speculation(session, sequences[0], &speculation) }),
      ("speculation: null", { orion_sequence_speculation(session, sequences[0], nil) }),
      ("length", { orion_sequence_truncate(session, sequences[0], 99) }),
      ("length", { orion_sequence_truncate(session, sequences[0], -1) }),
      (
        "twice",
        {
          orion_session_generate_batch(
            session, 2, [sequences[0], sequences[0]], 1, &ids, &counts, &finished)
        }
      ),
      (
        "sequence_count x capacity",
        { orion_session_generate_batch(session, .max, sequences, 2, &ids, &counts, &finished) }
      ),
      ("counts: null", { orion_session_feed_batch(session, 1, sequences, nil, &ids) }),
      ("sequences: null", { orion_session_feed_batch(session, 1, nil, [1], &ids) }),
      ("tokens: null", { orion_session_feed_batch(session, 1, sequences, [1], nil) }),
      ("counts[1]", { orion_session_feed_batch(session, 2, sequences, [1, -1], &ids) }),
      ("all counts", { orion_session_feed_batch(session, 2, sequences, [1, .max], &ids) }),
      (
        "counts: null",
        { orion_session_generate_batch(session, 1, sequences, 1, &ids, nil, &finished) }
      ),
      (
        "sequences: null",
        { orion_session_generate_batch(session, 1, nil, 1, &ids, &counts, &finished) }
      ),
    ]
    for row in rows {
      #expect(row.call() == ORION_ERROR_ARGUMENT)
      #expect(SessionExportTests.message.contains(row.part), "\(SessionExportTests.message)")
    }
  }
}

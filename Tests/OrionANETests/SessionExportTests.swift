import COrionANE
import Testing

@testable import OrionANE

/// The C interface's functions on sessions, over a model that can be computed by hand.
@Suite struct SessionExportTests {
  private final class Scene {
    let bundle: TinyBundle
    let device: orion_handle
    let session: orion_handle
    private let directory: TemporaryDirectory

    init() throws {
      bundle = try TinyBundle()
      directory = try TemporaryDirectory()
      device = HandleTable.shared.insert(
        Device(
          kind: .cpu, reason: "test", backend: try TinyBackend(bundle.model),
          identity: FileIdentity(directory: directory.path)))
      var handle: orion_handle = 0
      let status = orion_session_open(device, bundle.path, &handle)
      try #require(status == ORION_OK, "\(SessionExportTests.message)")
      session = handle
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
    #expect(orion_session_feed(scene.session, tokens, 2, &logits, 2) == ORION_OK)
    let expected = scene.bundle.model.logits(tokens).flatMap { $0 }
    #expect(zip(logits, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    var ids = [Int32](repeating: -1, count: 8)
    var count = 0
    var finished: UInt32 = 9
    #expect(orion_session_generate(scene.session, 8, &ids, &count, &finished) == ORION_OK)
    #expect(ids == scene.bundle.model.continuation(tokens, 8))
    #expect(count == 8 && finished == 0)
    #expect(orion_session_reset(scene.session) == ORION_OK)
    #expect(orion_session_feed(scene.session, tokens, 2, nil, 0) == ORION_OK)
    #expect(orion_session_feed(scene.session, nil, 0, nil, 0) == ORION_OK)
    #expect(orion_session_generate(scene.session, 0, nil, &count, &finished) == ORION_OK)
    #expect(count == 0 && finished == 0)
    #expect(orion_session_cancel(scene.session) == ORION_OK)
  }

  @Test func samples() throws {
    let scene = try Scene()
    var sampling = orion_sampling()
    sampling.struct_size = UInt32(MemoryLayout<orion_sampling>.size)
    (sampling.temperature, sampling.top_p, sampling.repetition_penalty) = (1, 1, 1)
    #expect(orion_session_sampling(scene.session, &sampling) == ORION_OK)
    sampling.top_p = 0
    #expect(orion_session_sampling(scene.session, &sampling) == ORION_ERROR_ARGUMENT)
    #expect(SessionExportTests.message.contains("top_p"))
    sampling.struct_size = 4
    #expect(orion_session_sampling(scene.session, &sampling) == ORION_ERROR_ARGUMENT)
    #expect(SessionExportTests.message.contains("struct_size"))
    #expect(orion_session_sampling(scene.session, nil) == ORION_ERROR_ARGUMENT)
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
    let session = scene.session
    var tokens: [Int32] = [1, 2, 3, 4]
    var logits = [Float](repeating: 7, count: 11)
    var count = 5
    var finished: UInt32 = 5
    var handle: orion_handle = 5
    let odd = UnsafeMutableRawPointer(bitPattern: 0x1001)?.assumingMemoryBound(to: Int32.self)
    let rows: [(status: Int, part: String, call: () -> orion_status)] = [
      (ORION_ERROR_ARGUMENT, "tokens: null", { orion_session_feed(session, nil, 2, nil, 0) }),
      (ORION_ERROR_ARGUMENT, "tokens", { orion_session_feed(session, odd, 2, nil, 0) }),
      (ORION_ERROR_ARGUMENT, "count", { orion_session_feed(session, tokens, -1, nil, 0) }),
      (ORION_ERROR_ARGUMENT, "logits: null", { orion_session_feed(session, tokens, 2, nil, 1) }),
      (ORION_ERROR_ARGUMENT, "logit_rows", { orion_session_feed(session, tokens, 2, &logits, 3) }),
      (ORION_ERROR_ARGUMENT, "logit_rows", { orion_session_feed(session, tokens, 2, &logits, -1) }),
      (
        ORION_ERROR_CONTEXT, "22",
        { orion_session_feed(session, Array(repeating: 1, count: 22), 22, nil, 0) }
      ),
      (
        ORION_ERROR_ARGUMENT, "capacity",
        { orion_session_generate(session, .min, &tokens, &count, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "tokens: null",
        { orion_session_generate(session, 1, nil, &count, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "count: null",
        { orion_session_generate(session, 1, &tokens, nil, &finished) }
      ),
      (
        ORION_ERROR_ARGUMENT, "finished: null",
        { orion_session_generate(session, 1, &tokens, &count, nil) }
      ),
      (
        ORION_ERROR_ARGUMENT, "empty",
        { orion_session_generate(session, 1, &tokens, &count, &finished) }
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
    #expect(orion_session_close(closed) == ORION_OK)
    var count = 0
    var finished: UInt32 = 0
    var token: Int32 = 1
    for handle in [0, closed, scene.device, .max] {
      let statuses = [
        orion_session_close(handle), orion_session_json(handle, nil), orion_session_reset(handle),
        orion_session_feed(handle, &token, 1, nil, 0), orion_session_sampling(handle, nil),
        orion_session_generate(handle, 1, &token, &count, &finished),
        orion_session_cancel(handle),
      ]
      #expect(statuses.allSatisfy { $0 == ORION_ERROR_HANDLE })
      #expect(SessionExportTests.message.contains("handle"))
    }
  }
}

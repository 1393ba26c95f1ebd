import Testing

@testable import OrionANE

/// Sessions on real devices, over a model in MIL: a text gives the same logits however it is cut, and those
/// that the definition gives.
@Suite struct SessionDeviceTests {
  private static let text: [Int32] = (0..<90).map { ($0 * 29 + $0 / 7 + 3) % 40 }

  private func logits(
    _ session: Session, _ chunks: [Int]
  ) throws -> [Float] {
    try session.reset()
    var rows: [Float] = []
    var start = 0
    for count in chunks {
      let part = Array(SessionDeviceTests.text[start..<start + count])
      rows += try session.feed(part, logitRows: count)
      start += count
    }
    return rows
  }

  private func difference(_ left: [Float], _ right: [Float]) -> Float {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).map { ($0 - $1).isNaN ? .infinity : abs($0 - $1) }.max() ?? 0
  }

  private func check(_ device: String, _ model: AttentionModel, equal: Float, close: Float) throws {
    let directory = try TemporaryDirectory()
    try model.write(to: directory)
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    let device = try Device(device, options: options)
    let session = try Session(device: device, bundle: directory.path)
    let whole = try logits(session, [90])
    let chunkings = [Array(repeating: 1, count: 90), [32, 32, 26], [5, 40, 45], [89, 1]]
    for chunks in chunkings {
      #expect(difference(try logits(session, chunks), whole) <= equal, "\(chunks)")
    }
    let expected = model.logits(SessionDeviceTests.text).flatMap { $0.map(Float.init) }
    #expect(difference(whole, expected) <= close)
  }

  @Test func cpuGivesTheSameLogitsForEveryChunking() throws {
    try check("cpu", .cpu, equal: 1e-5, close: 1e-4)
  }

  @Test func engineGivesTheSameLogitsForEveryChunking() throws {
    try check("sim:m4-macos15", .engine, equal: 1e-2, close: 5e-2)
  }

  @Test func refusesABundleForAnotherProfile() throws {
    let directory = try TemporaryDirectory()
    try AttentionModel.engine.write(to: directory)
    var options = DeviceOptions()
    options.cacheDirectory = directory.path + "/cache"
    let device = try Device("cpu", options: options)
    let error = #expect(throws: OrionError.self) {
      try Session(device: device, bundle: directory.path)
    }
    #expect(error?.message.contains("\"m4-macos15\"") == true)
    #expect(error?.message.contains("\"cpu\"") == true)
  }
}

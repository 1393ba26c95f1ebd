import Testing

@testable import OrionANE

/// What the cache of keys and values keeps when a text grows from one bucket into the next.
@Suite struct KeyValueCacheTests {
  @Test func shorterTensorsOfTheCacheGoWhenItGrows() throws {
    let scene = try SequenceTests.scene(isPlaced: false)
    try scene.session.feed([9, 3, 4])
    _ = try scene.session.generate(2)
    let cache = scene.session.runner.cache
    #expect(cache.length == 8)
    weak var before = cache.storages.first
    #expect(before != nil)
    _ = try scene.session.generate(10)
    #expect(cache.length == 24)
    #expect(before == nil)
  }

  @Test func rowsOfTheLongestCacheServeAllBuckets() throws {
    var model = TinyModel()
    (model.cacheAxis, model.takesLongerCaches) = (2, true)
    let scene = try TinyScene(model)
    try scene.session.feed([9, 3])
    var ids = try scene.session.generate(2).tokens
    let cache = scene.session.runner.cache
    let before = cache.storages.map(ObjectIdentifier.init)
    #expect(cache.length == 8 && cache.storages.allSatisfy { $0.layout.shape == [1, 1, 24, 4] })
    ids += try scene.session.generate(10).tokens
    #expect(cache.length == 24 && cache.storages.map(ObjectIdentifier.init) == before)
    #expect(ids == model.continuation([9, 3], 12))
    try SequenceTests.checkSlots(scene, 0..<1)
    try scene.session.reset()
    try scene.session.feed([9, 3])
    #expect(try scene.session.generate(2).tokens == Array(ids.prefix(2)))
    #expect(cache.length == 8 && cache.storages.map(ObjectIdentifier.init) == before)
    #expect(scene.violations.isEmpty, "\(scene.violations.prefix(3))")
  }
}

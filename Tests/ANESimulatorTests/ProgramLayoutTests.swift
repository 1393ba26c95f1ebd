import ANEProfiles
import Testing

@testable import ANESimulator

struct ProgramLayoutTests {
  let client: Client
  init() throws { client = try makeClient() }

  @Test func attributesDescribeTheProgram() throws {
    let model = try client.loadedModel(
      sumProgram("g(b:3x64,a:3x64)->(z:3x64)\nf(a:4x32)->(e:4x32,c:4x32)"))
    let attributes = try client.get(model, "modelAttributes")
    let description = try client.value(attributes, "ANEFModelDescription")
    func texts(_ key: String) throws -> [String?] {
      try client.elements(try client.value(description, key)).map { try client.text($0) }
    }
    #expect(try texts("kANEFModelInputSymbolsArrayKey") == ["a", "a", "b"])
    #expect(try texts("kANEFModelOutputSymbolsArrayKey") == ["c@output", "e@output", "z@output"])
    let map = try client.value(description, "kANEFModelProcedureNameToIDMapKey")
    #expect(try client.integer(try client.value(map, "g")) == 0)
    #expect(try client.integer(try client.value(map, "f")) == 1)
    let procedures = try client.elements(try client.value(description, "ANEFModelProcedures"))
    func indices(_ procedure: Int, _ key: String) throws -> [Int?] {
      try client.elements(try client.value(procedures[procedure], key)).map {
        try client.integer($0)
      }
    }
    #expect(try indices(0, "ANEFModelInputSymbolIndexArray") == [0, 2])
    #expect(try indices(0, "ANEFModelOutputSymbolIndexArray") == [2])
    #expect(try indices(1, "ANEFModelInputSymbolIndexArray") == [1])
    #expect(try indices(1, "ANEFModelOutputSymbolIndexArray") == [0, 1])
    let networks = try client.elements(try client.value(attributes, "NetworkStatusList"))
    #expect(try client.text(try client.value(networks[1], "Name")) == "f")
    let live = try client.elements(try client.value(networks[0], "LiveInputList"))
    let numbers = try [
      "BatchSize", "Channels", "Height", "Width", "Depth", "RowStride", "PlaneStride",
    ]
    .map { try client.integer(try client.value(live[1], $0)) }
    #expect(numbers == [1, 3, 1, 64, 1, 128, 128])
    #expect(try client.text(try client.value(live[1], "Name")) == "b")
    #expect(try client.text(try client.value(live[1], "Type")) == "Float16")

    let symbols = try client.method(
      model, "inputSymbolIndicesForProcedureIndex:",
      as: (@convention(c) (ID?, ID?, UInt32) -> ID?).self)
    try client.pool {
      let selector = try client.selector("inputSymbolIndicesForProcedureIndex:")
      let set = try #require(symbols(model, selector, 0))
      #expect(try client.number(set, "count") == 2)
      #expect(try client.number(set, "firstIndex") == 0)
      let next = try client.method(
        set, "indexGreaterThanIndex:", as: (@convention(c) (ID?, ID?, UInt) -> UInt).self)
      #expect(next(set, try client.selector("indexGreaterThanIndex:"), 0) == 2)
      #expect(next(set, try client.selector("indexGreaterThanIndex:"), 2) == UInt(Int.max))
      #expect(try client.number(try #require(symbols(model, selector, 7)), "count") == 0)
    }
  }

  @Test func axesAreNamedFromTheLast() throws {
    let model = try client.loadedModel(
      """
      program(1.3)
      {
          func f<ios18>(tensor<fp16, [3, 32]> flat, tensor<fp32, [2, 1, 5, 3, 32]> deep) {
              tensor<fp16, [3, 32]> y = relu(x = flat);
              tensor<fp32, [2, 1, 5, 3, 32]> z = relu(x = deep);
          } -> (y, z);
      }
      """)
    let networks = try client.elements(
      try client.value(try client.get(model, "modelAttributes"), "NetworkStatusList"))
    let live = try client.elements(try client.value(networks[0], "LiveInputList"))
    let keys = ["Depth", "BatchSize", "Channels", "Height", "Width", "RowStride", "PlaneStride"]
    let numbers = try live.map { port in
      try keys.map { try client.integer(try client.value(port, $0)) }
    }
    #expect(numbers == [[2, 1, 5, 3, 32, 128, 384], [1, 1, 1, 3, 32, 64, 192]])
    #expect(
      try live.map { try client.text(try client.value($0, "Type")) } == ["Float32", "Float16"])
  }
}

import Testing

@testable import ANESimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A convolution whose weights lie in a file, through the whole route.
struct WeightTests {
  let cache: String
  let client: Client
  init() throws {
    cache = try temporaryDirectory()
    client = try makeClient(cache: cache)
  }

  private let text = """
    program(1.3)
    {
        func main<ios18>(tensor<fp16, [1, 2, 1, 32]> x) {
            tensor<fp16, [3, 2, 1, 1]> w = const()[val = tensor<fp16, [3, 2, 1, 1]>(BLOBFILE(path = string("@model_path/weights.bin"), offset = uint64(64)))];
            string kind = const()[val = string("valid")];
            tensor<int32, [2]> ones = const()[val = tensor<int32, [2]>([1, 1])];
            tensor<int32, [4]> zeros = const()[val = tensor<int32, [4]>([0, 0, 0, 0])];
            int32 one = const()[val = int32(1)];
            tensor<fp16, [1, 3, 1, 32]> y = conv(dilations = ones, groups = one, pad = zeros, pad_type = kind, strides = ones, weight = w, x = x);
        } -> (y);
    }
    """

  /// A file with one record of fp16 values.
  private func writeWeights(_ values: [Float16], to directory: String) {
    var bytes = [UInt8](repeating: 0, count: 128)
    func put<T>(_ value: T, at offset: Int) {
      withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
    put(UInt32(1), at: 0)
    put(UInt32(2), at: 4)
    put(UInt32(0xdead_beef), at: 64)
    put(UInt32(1), at: 68)
    put(UInt64(values.count * 2), at: 72)
    put(UInt64(128), at: 80)
    for value in values { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
    guard let file = fopen("\(directory)/weights.bin", "w") else { return }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  private func makeModel() throws -> (directory: String, model: ID) {
    let directory = try makeModelDirectory(text)
    writeWeights([1, 2, 3, 4, 5, 6], to: directory)
    return (directory, try client.model(directory, key: "1"))
  }

  /// First column of the output for the input column (10, 1).
  private func column(_ client: Client, _ model: ID) throws -> [Float16] {
    let (x, y) = (try client.flatSurface(128), try client.flatSurface(192))
    try client.bytes(of: x) { base in
      base.storeBytes(of: 10, as: Float16.self)
      base.storeBytes(of: 1, toByteOffset: 64, as: Float16.self)
    }
    try client.evaluate(model, inputs: [(0, x)], outputs: [(0, y)])
    return try client.bytes(of: y) { base in
      (0..<3).map { base.load(fromByteOffset: $0 * 64, as: Float16.self) }
    }
  }

  @Test func convolutionsRun() throws {
    let (_, model) = try makeModel()
    try client.perform("load", model, options: try client.milOptions())
    #expect(try column(client, model) == [12, 34, 56])
  }

  @Test func weightsAreBakedIn() throws {
    let (directory, model) = try makeModel()
    let options = try client.milOptions()
    try client.perform("compile", model, options: options)
    try client.perform("load", model, options: options)
    try client.perform("unload", model)
    usleep(20_000)
    writeWeights([2, 2, 3, 4, 5, 6], to: directory)
    try client.perform("load", model, options: options)
    #expect(try column(client, model) == [12, 34, 56])
    // Another key is another program.
    let other = try client.model(directory, key: "2")
    try client.perform("load", other, options: options)
    #expect(try column(client, other) == [22, 34, 56])
  }

  @Test func anotherWorldNeedsNoWeightFile() throws {
    let (directory, model) = try makeModel()
    let options = try client.milOptions()
    try client.perform("compile", model, options: options)
    let second = try makeClient(cache: cache)
    // Removing would change the directory; what is written in place does not count.
    writeFile("\(directory)/weights.bin", "gone")
    let again = try second.model(directory, key: "1")
    try second.perform("load", again)
    #expect(try column(second, again) == [12, 34, 56])
    #expect(second.world.counters.compiles == 0)
  }

  @Test func everyDamagedFileIsHealed() throws {
    let (_, model) = try makeModel()
    let options = try client.milOptions()
    try client.perform("compile", model, options: options)
    let files = cachedFiles("\(cache)/sim").filter {
      $0.hasSuffix(".orion") || $0.hasSuffix(".pack")
    }
    #expect(files.count == 2)
    for (index, path) in files.enumerated() {
      var bytes = try #require(Files.read(path))
      bytes[bytes.count / 2] ^= 1
      let file = try #require(fopen(path, "w"))
      fwrite(bytes, 1, bytes.count, file)
      fclose(file)
      try client.perform("load", model, options: options)
      #expect(client.world.counters.compilesInsideLoad == 2 * index + 1, "\(path)")
      #expect(try column(client, model) == [12, 34, 56])
      try client.perform("unload", model)
      unlink(path)
      try client.perform("load", model, options: options)
      #expect(client.world.counters.compilesInsideLoad == 2 * index + 2, "\(path)")
      #expect(try column(client, model) == [12, 34, 56])
      try client.perform("unload", model)
    }
  }

  @Test func missingWeightsFailToCompile() throws {
    let model = try client.model(try makeModelDirectory(text), key: "1")
    let error = try #require(throws: Reported.self) {
      try client.perform("compile", model, options: try client.milOptions())
    }
    #expect(error.text == "_ANECompiler : ANECCompile() FAILED")
    #expect(error.reason.contains("weights.bin"))
  }

  /// All files below a directory.
  private func cachedFiles(_ directory: String) -> [String] {
    names(in: directory).flatMap { name in
      let path = "\(directory)/\(name)"
      return Files.isDirectory(path) ? cachedFiles(path) : [path]
    }
  }
}

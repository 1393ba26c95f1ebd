import ANEProfiles
import Testing

@testable import MILEngine

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The compiled form on disk: loading without the weights, sharing packs, finding damage.
@Suite struct CompiledProgramTests {
  /// A model directory with one weight file, and where its compiled form goes.
  private struct Model {
    let folder = TemporaryFolder()
    var models: String { folder.path }
    var directory: String { folder.path + "/cpu/program" }
    var packs: String { folder.path + "/cpu/packs" }
    var programPath: String { directory + "/" + CompiledProgram.fileName }
    let text: String

    init(columns: Int = 4, factor: Double = 1) throws {
      var writer = BlobWriter()
      let weights = (0..<32).map { Float16(Double($0) * factor) }
      let bias: [Float] = [1, 2, 3, 4]
      let weightOffset = try writer.append(
        TensorType(.fp16, [4, 8, 1, 1]), weights.withUnsafeBytes { Array($0) })
      let biasOffset = try writer.append(
        TensorType(.fp32, [4]), bias.withUnsafeBytes { Array($0) })
      try writer.save(to: folder.path + "/weights.bin")
      func blob(_ type: String, _ offset: UInt64) -> String {
        "\(type)(BLOBFILE(path = string(\"@model_path/weights.bin\"), offset = uint64(\(offset))))"
      }
      text = program(
        """
        tensor<fp16, [4, 8, 1, 1]> w = const()[val = \(blob("tensor<fp16, [4, 8, 1, 1]>", weightOffset))];
        tensor<fp32, [4]> b = const()[val = \(blob("tensor<fp32, [4]>", biasOffset))];
        tensor<fp32, [1, 4, 1, \(columns)]> y = conv(x = x, weight = w, bias = b);
        """, inputs: "tensor<fp32, [1, 8, 1, \(columns)]> x", out: "y")
    }

    func compile() throws -> CompileReport {
      try CompiledProgram.compile(
        text: text, modelDirectory: models, profile: .cpu, directory: directory, packs: packs)
    }
    func load() throws(EngineError) -> Executable {
      try CompiledProgram.load(directory: directory, packs: packs)
    }
    var packPath: String { packs + "/" + (SampleFiles.names(in: packs).first ?? "") }
  }

  private func failure(_ body: () throws(EngineError) -> Void) -> EngineError? {
    do throws(EngineError) {
      try body()
      return nil
    } catch { return error }
  }

  private func isDamage(_ error: EngineError?, naming path: String) -> Bool {
    guard case .damaged(let message) = error else { return false }
    return message.contains(path)
  }

  private func bytes(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "rb") else { return [] }
    defer { fclose(file) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&buffer, 1, 4096, file), count > 0 { result += buffer[..<count] }
    return result
  }

  private func replace(_ path: String, _ bytes: [UInt8]) {
    guard let file = fopen(path, "wb") else { return }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  @Test func loadsWithoutTheWeightFile() throws {
    let model = try Model()
    let report = try model.compile()
    #expect(report.functions == ["main"])
    #expect(report.packedBytes == bytes(model.packPath).count)
    unlink(model.models + "/weights.bin")
    let function = try model.load().functions[0]
    let x = (0..<32).map { Double($0 % 5) }
    let expected = (0..<16).map { index -> Double in
      let (row, column) = (index / 4, index % 4)
      return (0..<8).reduce(Double(row + 1)) { $0 + Double(row * 8 + $1) * x[$1 * 4 + column] }
    }
    #expect(try function.run([x])[0] == expected)
    #expect(function.work.weightBytes == 64 + 16)
  }

  @Test func programsOverTheSameWeightsShareAPack() throws {
    let (narrow, wide) = (try Model(columns: 4), try Model(columns: 16))
    _ = try narrow.compile()
    _ = try CompiledProgram.compile(
      text: wide.text, modelDirectory: wide.models, profile: .cpu,
      directory: narrow.folder.path + "/other",
      packs: narrow.packs)
    #expect(SampleFiles.names(in: narrow.packs).count == 1)
    let changed = try Model(factor: 2)
    _ = try CompiledProgram.compile(
      text: changed.text, modelDirectory: changed.models, profile: .cpu,
      directory: narrow.directory,
      packs: narrow.packs)
    #expect(SampleFiles.names(in: narrow.packs).count == 2)
  }

  @Test func everyFlippedByteIsFound() throws {
    let model = try Model()
    _ = try model.compile()
    let plan = try #require(try model.load().functions.first).plan
    for path in [model.programPath, model.packPath] {
      let whole = bytes(path)
      #expect(whole.count > 100)
      for index in whole.indices {
        var damaged = whole
        damaged[index] ^= UInt8(1 << (index % 8))
        replace(path, damaged)
        // The reader of the file itself; from time to time the whole way.
        let error = failure { () throws(EngineError) in
          if index % 50 == 0 {
            _ = try model.load()
          } else if path == model.programPath {
            _ = try ProgramRecord(path: path)
          } else {
            _ = try PackedWeights.load(path, layout: PackLayout([plan]))
          }
        }
        #expect(isDamage(error, naming: path), "byte \(index): \(String(describing: error))")
      }
      replace(path, whole)
      #expect(failure { () throws(EngineError) in _ = try model.load() } == nil)
    }
  }

  @Test func truncatedAndMissingFilesAreFound() throws {
    let model = try Model()
    _ = try model.compile()
    for path in [model.programPath, model.packPath] {
      let whole = bytes(path)
      for length in [0, 1, 19, 20, 64, 127, 128, whole.count - 1] where length < whole.count {
        replace(path, Array(whole[..<length]))
        #expect(isDamage(failure { () throws(EngineError) in _ = try model.load() }, naming: path))
      }
      replace(path, whole + [0])
      #expect(isDamage(failure { () throws(EngineError) in _ = try model.load() }, naming: path))
      unlink(path)
      #expect(isDamage(failure { () throws(EngineError) in _ = try model.load() }, naming: path))
      replace(path, whole)
    }
  }

  @Test func anotherFormatIsNamed() throws {
    let model = try Model()
    _ = try model.compile()
    for path in [model.programPath, model.packPath] {
      let whole = bytes(path)
      var newer = whole
      newer[8] = 9
      replace(path, newer)
      guard case .damaged(let message) = failure({ () throws(EngineError) in _ = try model.load() })
      else {
        Issue.record("\(path) of format 9 was read")
        continue
      }
      #expect(message.contains("format 9 was found"))
      replace(path, whole)
    }
  }

  @Test func compilingHealsADamagedPack() throws {
    let model = try Model()
    _ = try model.compile()
    let whole = bytes(model.packPath)
    var damaged = whole
    damaged[300] ^= 1
    replace(model.packPath, damaged)
    _ = try model.compile()
    #expect(bytes(model.packPath) == whole)
    _ = try model.load()
  }

  @Test func aPackOfOtherWeightsIsRefused() throws {
    let (first, second) = (try Model(), try Model(factor: 3))
    _ = try first.compile()
    _ = try second.compile()
    // The same forms from other contents: the name tells them apart, so the file must be the one named.
    #expect(first.packPath.split(separator: "/").last != second.packPath.split(separator: "/").last)
    unlink(first.packPath)
    #expect(
      isDamage(
        failure { () throws(EngineError) in _ = try first.load() },
        naming: first.packPath.isEmpty ? "" : ".pack"))
  }

  @Test func faultsOfTheTextAreReportedAndNothingIsWritten() throws {
    let model = try Model()
    let error = failure { () throws(EngineError) in
      _ = try CompiledProgram.compile(
        text: model.text.replacing("conv(", with: "convolve("), modelDirectory: model.models,
        profile: .cpu, directory: model.directory, packs: model.packs)
    }
    guard case .program(let list) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(list.diagnostics.map(\.rule) == ["unknown-op"])
    #expect(SampleFiles.names(in: model.folder.path) == ["weights.bin"])
  }

  @Test func aDirectoryThatCannotBeMadeIsNamed() throws {
    let model = try Model()
    model.folder.write([1], to: "cpu")
    guard
      case .file(let message) = failure({ () throws(EngineError) in
        _ = try CompiledProgram.compile(
          text: model.text, modelDirectory: model.models, profile: .cpu, directory: model.directory,
          packs: model.packs)
      })
    else {
      Issue.record("the directory was made")
      return
    }
    #expect(message.contains(model.folder.path + "/cpu"))
  }

  @Test func aWriteThatFailsLeavesNothing() throws {
    let model = try Model()
    // The name of the program is taken by a directory, so the last rename fails.
    mkdir(model.folder.path + "/cpu", 0o755)
    mkdir(model.directory, 0o755)
    mkdir(model.programPath, 0o755)
    guard
      case .file(let message) = failure({ () throws(EngineError) in
        _ = try CompiledProgram.compile(
          text: model.text, modelDirectory: model.models, profile: .cpu, directory: model.directory,
          packs: model.packs)
      })
    else {
      Issue.record("the program was written")
      return
    }
    #expect(message.contains(model.programPath))
    #expect(SampleFiles.names(in: model.directory) == [CompiledProgram.fileName])
  }

  @Test func theProfilesErrorsRefuseAProgram() throws {
    let folder = TemporaryFolder()
    let text = program(
      "tensor<fp16, [1, 64, 1, 32]> y = rsqrt(x = x, epsilon = fp16(0));", out: "y")
    func compile(_ profile: Profile) -> EngineError? {
      failure { () throws(EngineError) in
        _ = try CompiledProgram.compile(
          text: text, modelDirectory: folder.path, profile: profile, directory: folder.path + "/p",
          packs: folder.path + "/packs")
      }
    }
    guard case .program(let list) = compile(.standard) else {
      Issue.record("the engine took rsqrt")
      return
    }
    #expect(list.diagnostics.contains { $0.rule == "no-rsqrt" })
    #expect(compile(.cpu) == nil)
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The readers of foreign input, by name. FUZZ_TARGET in the environment says which of them takes the inputs.
private enum FuzzTargets {
  typealias Target = @Sendable ([UInt8]) -> CInt

  static let all: [String: Target] = [
    "mil": TextTarget.run, "blob": BlobTarget.run, "bundle": BundleTarget.run,
    "abi": InterfaceTarget.run,
  ]

  static let chosen: Target = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = all[name] { return target }
    say("no target \"\(name)\"; FUZZ_TARGET is one of \(all.keys.sorted().joined(separator: ", "))")
    exit(2)
  }()
}

@c(orion_fuzz_start)
func start(
  _ count: UnsafeMutablePointer<CInt>?,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
  // What a target makes once is no input's doing.
  _ = FuzzTargets.chosen([])
  atexit { say("slowest input: \(UnitTime.slowest / 1_000_000) ms of processor time") }
  return 0
}

/// Processor time of an input: a machine that is busy with other things makes none of them slow.
private enum UnitTime {
  nonisolated(unsafe) static var slowest: UInt64 = 0
  /// An input that takes longer breaks its target.
  private static let limit: UInt64 = 1_000_000_000

  static func measure(_ body: () -> CInt) -> CInt {
    let start = now
    let result = body()
    let spent = now - start
    slowest = max(slowest, spent)
    expect(spent < limit, "an input took \(spent / 1_000_000) ms of processor time")
    return result
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

@c(orion_fuzz_run)
func run(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  return UnitTime.measure { FuzzTargets.chosen(bytes) }
}

/// What must hold whatever the input; a breach ends the process, which libFuzzer records.
func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
  if holds { return }
  say(what())
  abort()
}

func say(_ message: String) {
  var line = Array("OrionFuzz: \(message)\n".utf8)
  write(2, &line, line.count)
}

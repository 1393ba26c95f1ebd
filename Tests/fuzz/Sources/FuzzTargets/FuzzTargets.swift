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
  _ = FuzzTargets.chosen
  return 0
}

@c(orion_fuzz_run)
func run(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  FuzzTargets.chosen(Array(UnsafeBufferPointer(start: data, count: size)))
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

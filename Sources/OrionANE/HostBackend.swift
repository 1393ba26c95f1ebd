import ANEProfiles

/// `cpu`: MILEngine on this machine, without the rules of any chip. It knows nothing of Apple.
final class HostBackend: Backend {
  let profile = Profile.cpu
  let route = "host"
  private let caches: CacheDirectory

  init(_ caches: CacheDirectory) { self.caches = caches }

  func makeStorage(_ layout: Layout) throws(OrionError) -> any TensorStorage {
    try HostStorage(layout)
  }

  func rowBytes(forRowOf bytes: Int) -> Int { bytes }

  func load(_ source: ProgramSource) throws(OrionError) -> any LoadedProgram {
    throw OrionError(.program, "\(source.function): no program runs here yet")
  }

  var counters: Counters { Counters() }
  func takeTrace() -> String { "" }
}

/// The engine that runs MIL programs, as the daemon sees it.

import ANEProfiles
import MILEngine

struct MILEngineCompiler: Engine {
  func compile(
    text: String, modelDirectory: String, profile: Profile, directory: String, packs: String
  ) throws(EngineFault) {
    throw .file("there is no engine yet")
  }

  func load(directory: String, packs: String) throws(EngineFault) -> [any Procedure] {
    throw .file("there is no engine yet")
  }
}

import ANEProfiles
import ANESimulator
import Testing

@testable import OrionANE

@Suite struct FunctionTableTests {
  let directory: TemporaryDirectory
  let world: World

  init() throws {
    directory = try TemporaryDirectory()
    world = try World(profile: .standard, cacheDirectory: directory.path)
  }

  @Test func theSimulatorHasEverySymbol() throws {
    _ = try FunctionTable(.simulated(world))
  }

  @Test func namesEveryMissingSymbolAtOnce() throws {
    let gone = ["CFRetain", "IOSurfaceLock", "kIOSurfaceWidth", "class_respondsToSelector"]
    let library = ForeignLibrary.simulated(world).changed(name: "half a system") {
      gone.contains($0) ? .missing : .keep
    }
    let error = #expect(throws: OrionError.self) { try FunctionTable(library) }
    let message = try #require(error?.message)
    #expect(message.hasPrefix("half a system: missing symbols: "))
    for name in gone { #expect(message.contains(name)) }
    #expect(error?.kind == .device)
  }

  @Test func poolsAndRetainMayBeMissing() throws {
    let library = ForeignLibrary.simulated(world).changed {
      [
        "objc_autoreleasePoolPush", "objc_autoreleasePoolPop", "objc_retain", "objc_release",
        "object_getClass",
      ].contains($0) ? .missing : .keep
    }
    let table = try FunctionTable(library)
    #expect(table.poolPush == nil && table.objectRetain == nil && table.objectGetClass == nil)
  }

  @Test func oneWayToAClassesClassMustExist() throws {
    let library = ForeignLibrary.simulated(world).changed {
      ["object_getClass", "objc_getMetaClass"].contains($0) ? .missing : .keep
    }
    let error = #expect(throws: OrionError.self) { try FunctionTable(library) }
    #expect(error?.message.contains("object_getClass") == true)
  }

  @Test func theFrameworkCannotBeOpenedHere() throws {
    #if !os(macOS)
      let error = #expect(throws: OrionError.self) { try SystemFramework.library() }
      let message = try #require(error?.message)
      #expect(message.contains("needs macOS 15 or later on Apple silicon"))
      #expect(message.contains("sim and cpu run anywhere"))
    #endif
  }

  @Test func opensLibrariesAndFindsTheirSymbols() throws {
    let library = try SystemFramework.library(paths: ["libm.so.6", "libc.so.6"])
    #expect(library.symbol("cosf") != nil)
    #expect(library.symbol("orion_no_such_symbol") == nil)
  }
}

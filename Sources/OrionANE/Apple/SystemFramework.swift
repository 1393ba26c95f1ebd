#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The libraries of macOS that hold the private framework's calls, opened when asked for.
enum SystemFramework {
  static let name = "AppleNeuralEngine.framework"

  /// Looked through in this order. Since macOS 11 these are not files: opening is the only test.
  static let paths = [
    "/usr/lib/libobjc.A.dylib",
    "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
    "/System/Library/Frameworks/IOSurface.framework/IOSurface",
    "/System/Library/PrivateFrameworks/AppleNeuralEngine.framework/AppleNeuralEngine",
  ]

  private struct Handles: @unchecked Sendable {
    var opened: [UnsafeMutableRawPointer] = []
  }

  static func library(paths: [String] = paths) throws(OrionError) -> ForeignLibrary {
    var handles = Handles()
    for path in paths {
      guard let handle = dlopen(path, RTLD_NOW) else {
        let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
        throw OrionError(
          .device,
          "device \"ane\" needs macOS 15 or later on Apple silicon (\(reason));"
            + " sim and cpu run anywhere")
      }
      handles.opened.append(handle)
    }
    let found = handles
    return ForeignLibrary(
      name: name,
      symbol: { name in found.opened.lazy.compactMap { dlsym($0, name) }.first },
      bind: { $0() },
      virtualSeconds: { 0 }, compiles: { nil })
  }
}

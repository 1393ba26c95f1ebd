// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
  name: "OrionANE",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "OrionANE", targets: ["OrionANE"]),
    .library(name: "OrionANEShared", type: .dynamic, targets: ["OrionANE"]),
  ],
  targets: [
    .target(name: "COrionANE", exclude: ["exports.map"]),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-fvisibility=hidden"])]),
    .target(name: "ANEProfiles", swiftSettings: swift),
    .target(name: "MILEngine", dependencies: ["CKernels", "ANEProfiles"], swiftSettings: swift),
    .target(
      name: "ANESimulator", dependencies: ["MILEngine", "ANEProfiles"], swiftSettings: swift),
    .target(
      name: "OrionANE",
      dependencies: ["ANESimulator", "MILEngine", "CKernels", "ANEProfiles", "COrionANE"],
      swiftSettings: swift),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels"], swiftSettings: swift),
    .testTarget(name: "MILEngineTests", dependencies: ["MILEngine"], swiftSettings: swift),
    .testTarget(
      name: "ANESimulatorTests", dependencies: ["ANESimulator"], swiftSettings: swift),
    .testTarget(name: "OrionANETests", dependencies: ["OrionANE"], swiftSettings: swift),
  ]
)

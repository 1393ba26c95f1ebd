// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Fuzz",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "OrionANE", path: "../..")],
  targets: [
    .target(
      name: "FuzzTargets", dependencies: [.product(name: "OrionANE", package: "OrionANE")],
      swiftSettings: [.swiftLanguageMode(.v6)]),
    // In C, because libFuzzer brings `main` and a Swift executable insists on its own.
    .executableTarget(name: "OrionFuzz", dependencies: ["FuzzTargets"]),
  ]
)

// swift-tools-version: 6.2
import PackageDescription

let orion: [Target.Dependency] = [.product(name: "OrionANE", package: "OrionANE")]

let package = Package(
  name: "Client",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "OrionANE", path: "../..")],
  targets: [
    .executableTarget(name: "Client", dependencies: orion),
    .executableTarget(name: "TokenizerProbe", dependencies: orion),
  ]
)

// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Client",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "OrionANE", path: "../..")],
  targets: [
    .executableTarget(
      name: "Client", dependencies: [.product(name: "OrionANE", package: "OrionANE")])
  ]
)

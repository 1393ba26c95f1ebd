// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
  name: "Chat",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "OrionANE", path: "../..")],
  targets: [
    .target(
      name: "ChatModel", dependencies: [.product(name: "OrionANE", package: "OrionANE")],
      swiftSettings: swift),
    .executableTarget(name: "ChatTerminal", dependencies: ["ChatModel"], swiftSettings: swift),
    .executableTarget(name: "ChatApp", dependencies: ["ChatModel"], swiftSettings: swift),
  ]
)

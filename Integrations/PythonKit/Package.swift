// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "OrionPython",
  platforms: [.macOS(.v15)],
  products: [.library(name: "OrionPython", targets: ["OrionPython"])],
  dependencies: [
    .package(name: "OrionANE", path: "../.."),
    .package(url: "https://github.com/pvieito/PythonKit.git", from: "0.5.1"),
  ],
  targets: [
    .target(
      name: "OrionPython", dependencies: [.product(name: "PythonKit", package: "PythonKit")]),
    .executableTarget(
      name: "TrainCompileRun",
      dependencies: ["OrionPython", .product(name: "OrionANE", package: "OrionANE")]),
  ]
)

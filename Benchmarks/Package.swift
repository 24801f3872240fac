// swift-tools-version: 6.3
import PackageDescription

/// A package of its own: what measures is no dependency of what is measured.
let package = Package(
    name: "benchmarks",
    targets: [
        .executableTarget(name: "bench", swiftSettings: [.treatAllWarnings(as: .error)])
    ]
)

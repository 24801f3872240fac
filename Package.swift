// swift-tools-version: 6.3
import PackageDescription

/// What every target is built with.
let common: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// For the object store, all of which runs on one thread.
///
/// Exclusive access is checked while running in debug builds, where the tests run. The checks were
/// two fifths of the instructions of a small put.
let uncheckedInRelease: [SwiftSetting] =
    common + [
        .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
    ]

/// For targets without raw memory: each unsafe construct would need a mark.
/// https://github.com/swiftlang/swift-evolution/blob/main/proposals/0458-strict-memory-safety.md
let safe: [SwiftSetting] = common + [.strictMemorySafety()]

let package = Package(
    name: "swift-gcs",
    products: [
        .executable(name: "gcs-server", targets: ["gcs-server"]),
        .executable(name: "gcs-node", targets: ["gcs-node"]),
        .executable(name: "plasma-store", targets: ["plasma-store"]),
        .executable(name: "gcs", targets: ["gcs"]),
        .library(name: "GCSClient", targets: ["GCSClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // C libraries, system calls and instructions of the processor.
        .systemLibrary(
            name: "CLibevent", pkgConfig: "libevent_core", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CSystem"),
        .systemLibrary(name: "CProcessor"),
        .systemLibrary(name: "CRocksDB", providers: [.apt(["librocksdb-dev"])]),

        // The core: no socket, no clock of the system, no Foundation.
        .target(name: "Identifiers", swiftSettings: common),
        .target(name: "RESP", swiftSettings: common),
        .target(
            name: "ControlStore", dependencies: ["Identifiers", "CProcessor"],
            swiftSettings: common),
        .target(name: "Settings", swiftSettings: safe),
        .target(
            name: "Commands", dependencies: ["Identifiers", "RESP", "ControlStore", "Settings"],
            swiftSettings: common),
        .target(
            name: "Server",
            dependencies: ["Identifiers", "RESP", "ControlStore", "Settings", "Commands"],
            swiftSettings: common),

        // The system's threads and clocks.
        .target(name: "Platform", dependencies: ["CSystem"], swiftSettings: common),

        // The object store.
        .target(name: "Checksums", dependencies: ["CProcessor"], swiftSettings: common),
        .target(name: "PlasmaProtocol", dependencies: ["Identifiers"], swiftSettings: common),
        .target(
            name: "PlasmaStore",
            dependencies: ["Identifiers", "PlasmaProtocol", "Checksums", "Platform", "CSystem"],
            swiftSettings: uncheckedInRelease),

        // Flushed records on disk.
        .target(
            name: "DiskTier",
            dependencies: ["Identifiers", "ControlStore", "Platform", "CRocksDB", "CSystem"],
            swiftSettings: common),

        // Sockets, timers and clients.
        .target(name: "EventLoop", dependencies: ["CLibevent", "CSystem"], swiftSettings: common),
        .target(
            name: "PlasmaClient",
            dependencies: ["Identifiers", "PlasmaProtocol", "Platform", "EventLoop", "CSystem"],
            swiftSettings: common),
        .target(
            name: "ControlClient",
            dependencies: ["RESP", "CHiredis", "CLibevent", "Platform", "EventLoop"],
            swiftSettings: common),
        .target(
            name: "GCSClient",
            dependencies: [
                "Identifiers", "RESP", "ControlClient", "Platform", "EventLoop", "CSystem",
            ],
            swiftSettings: common),
        .target(
            name: "NodeManager", dependencies: ["Identifiers", "RESP", "PlasmaProtocol"],
            swiftSettings: safe),
        .target(
            name: "SpillFiles",
            dependencies: ["Identifiers", "Platform", "CSystem", "Checksums"],
            swiftSettings: common),

        .target(
            name: "AppendOnlyFile",
            dependencies: [
                "Identifiers", "RESP", "Platform", "CSystem", "CProcessor", "Checksums",
            ],
            swiftSettings: common),

        // Everything at once, on a clock and a network of its own.
        .target(
            name: "Simulation",
            dependencies: [
                "Identifiers", "RESP", "ControlStore", "Settings", "Commands", "Server",
                "NodeManager",
            ],
            swiftSettings: common),

        // Programs.
        .executableTarget(
            name: "gcs-server",
            dependencies: [
                "Identifiers", "RESP", "ControlStore", "Settings", "Commands", "Server",
                "AppendOnlyFile", "DiskTier", "Platform", "EventLoop",
            ],
            swiftSettings: common),
        .executableTarget(
            name: "gcs-node",
            dependencies: [
                "Identifiers", "RESP", "NodeManager", "ControlClient", "PlasmaClient",
                "PlasmaProtocol", "Settings", "Platform", "EventLoop", "SpillFiles", "CSystem",
            ],
            swiftSettings: common),
        .executableTarget(
            name: "plasma-store",
            dependencies: [
                "Identifiers", "PlasmaStore", "PlasmaProtocol", "Platform", "EventLoop", "CSystem",
            ],
            swiftSettings: uncheckedInRelease),
        .executableTarget(
            name: "gcs",
            dependencies: [
                "Identifiers", "RESP", "ControlClient", "GCSClient", "PlasmaClient",
                "PlasmaProtocol", "Commands", "Settings", "Platform", "EventLoop", "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: common),

        // Measures turns of the loop; `bench steps` runs it.
        .executableTarget(
            name: "turns",
            dependencies: [
                "Identifiers", "RESP", "ControlStore", "Settings", "Commands", "Server", "Platform",
            ],
            path: "Benchmarks/Sources/turns", swiftSettings: common),

        // Tests.
        .testTarget(name: "IdentifiersTests", dependencies: ["Identifiers"], swiftSettings: common),
        .testTarget(name: "RESPTests", dependencies: ["RESP"], swiftSettings: common),
        .testTarget(name: "PlatformTests", dependencies: ["Platform"], swiftSettings: common),
        .testTarget(
            name: "ControlStoreTests", dependencies: ["Identifiers", "ControlStore"],
            swiftSettings: common),
        .testTarget(
            name: "CommandsTests",
            dependencies: [
                "Identifiers", "RESP", "ControlStore", "Settings", "Commands", "Server", "DiskTier",
            ],
            exclude: ["Transcripts"], swiftSettings: common),
        .testTarget(
            name: "DiskTierTests", dependencies: ["Identifiers", "ControlStore", "DiskTier"],
            swiftSettings: common),
        .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: common),
        .testTarget(
            name: "PlasmaProtocolTests", dependencies: ["Identifiers", "PlasmaProtocol"],
            swiftSettings: common),
        .testTarget(
            name: "PlasmaStoreTests",
            dependencies: ["Identifiers", "PlasmaStore", "PlasmaProtocol", "Platform"],
            swiftSettings: common),
        .testTarget(
            name: "NodeManagerTests",
            dependencies: ["Identifiers", "RESP", "NodeManager", "PlasmaProtocol"],
            swiftSettings: common),
        .testTarget(
            name: "AppendOnlyFileTests",
            dependencies: ["RESP", "CSystem", "Platform", "AppendOnlyFile"],
            swiftSettings: common),
        .testTarget(
            name: "SpillFilesTests", dependencies: ["Identifiers", "SpillFiles", "Checksums"],
            swiftSettings: common),
        .testTarget(
            name: "ControlClientTests",
            dependencies: ["RESP", "ControlClient", "Platform", "EventLoop"],
            swiftSettings: common),
        .testTarget(
            name: "GCSClientTests", dependencies: ["GCSClient", "gcs-server", "lease-driver"],
            swiftSettings: common),
        .executableTarget(
            name: "lease-driver", dependencies: ["GCSClient"], path: "Tests/LeaseDriver",
            swiftSettings: common),
        .testTarget(
            name: "PlasmaClientTests",
            dependencies: [
                "Identifiers", "PlasmaProtocol", "PlasmaClient", "Platform", "EventLoop",
                "plasma-store",
            ],
            swiftSettings: common),
        .testTarget(
            name: "CommandLineTests", dependencies: ["gcs", "GCSClient", "Identifiers", "RESP"],
            swiftSettings: common),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: common),
        .testTarget(
            name: "TidyTests", dependencies: ["Commands", "Settings"], swiftSettings: common),
    ]
)

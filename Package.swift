// swift-tools-version: 6.2
import PackageDescription

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// The release binaries start in about a millisecond because they need no dynamic linking.
let isStatic: [LinkerSetting] = [.unsafeFlags(["-static-executable"])]

/// -static-executable tells the linker about FoundationEssentials, but not about the libraries that it needs.
let foundation: [LinkerSetting] = [
    .unsafeFlags([
        "-Xlinker", "-lFoundationEssentials",
        "-Xlinker", "-l_FoundationCollections",
        "-Xlinker", "-l_FoundationCShims",
    ])
]

/// For the modules that serve requests: checks for overlapping accesses were a tenth of the daemon's own
/// instructions. Debug builds have them, and CI runs these modules' tests on debug builds as well.
let served: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// TLS and name resolution are the system's libraries, which are updated without a new build of mica.
let hasSwift: [LinkerSetting] = [.unsafeFlags(["-static-stdlib"])]

/// C alone, without a library: a few kilobytes that are copied and executed for each program that enters a container.
let isBare: [LinkerSetting] = [
    .unsafeFlags([
        "-static-executable", "-nostartfiles", "-Xclang-linker", "-nostdlib", "-Xlinker", "--gc-sections",
        "-Xlinker",
        "--strip-all", "-Xlinker", "-z", "-Xlinker", "noexecstack",
    ])
]

let package = Package(
    name: "mica",
    products: [
        .executable(name: "mica", targets: ["mica"]),
        .executable(name: "micafs", targets: ["micafs"]),
        .executable(name: "mica-enter", targets: ["mica-enter"]),
        .executable(name: "mica-registry", targets: ["mica-registry"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        // C, where Swift can't: system calls, libfuse's glue, SQLite, codecs.
        .target(name: "CLinux"),
        .target(name: "CFUSE", linkerSettings: [.linkedLibrary("fuse3"), .linkedLibrary("uring")]),
        .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3"), .linkedLibrary("m")]),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CSeccomp", linkerSettings: [.linkedLibrary("seccomp")]),
        .target(
            name: "CCodecs",
            linkerSettings: [
                .linkedLibrary("z"), .linkedLibrary("deflate"), .linkedLibrary("zstd"),
                .linkedLibrary("crypto"),
            ]
        ),

        // From the bottom up. An import that is not listed here is a change of architecture.
        .target(name: "Linux", dependencies: ["CLinux", system], swiftSettings: served),
        .target(name: "Tar", dependencies: ["Linux", system]),
        .target(name: "Digests", dependencies: ["CCodecs", "Linux"]),
        .target(name: "OCI", dependencies: ["Digests", "Linux", "Tar", system]),
        .target(
            name: "Layers",
            dependencies: ["CCodecs", "Digests", "Linux", "Tar", system],
            swiftSettings: served
        ),
        .target(name: "Nodes", swiftSettings: served),
        .target(name: "Overlay", dependencies: ["CLinux", "Linux", system], swiftSettings: served),
        .target(
            name: "Union",
            dependencies: ["Layers", "Linux", "Nodes", "Overlay", system],
            swiftSettings: served
        ),
        .target(name: "FUSE", dependencies: ["CFUSE", "Linux", "Nodes", system], swiftSettings: served),
        .target(
            name: "Mount",
            dependencies: ["FUSE", "Linux", "Nodes", "Union", system],
            swiftSettings: served
        ),
        .target(name: "Options", dependencies: ["FUSE", "Linux", "Mount", system]),
        .target(name: "Dockerfile", dependencies: ["Linux", "OCI"]),
        .target(name: "Changes", dependencies: ["Layers", "Linux", "OCI", "Overlay", "Tar", system]),
        .target(name: "Events", dependencies: ["Linux", system]),
        .target(
            name: "Snapshots",
            dependencies: [
                "CSQLite", "Changes", "Dockerfile", "Events", "Layers", "Linux", "OCI", "Overlay", system,
            ]
        ),
        .target(name: "Registry", dependencies: ["CLinux", "Digests", "Linux", "OCI", system]),
        .target(
            name: "Images",
            dependencies: [
                "Digests", "Dockerfile", "Layers", "Linux", "OCI", "Registry", "Snapshots", "Tar", system,
            ]
        ),
        .target(name: "Runner", dependencies: ["CLinux", "CSeccomp", "Linux", "OCI", system]),
        .target(
            name: "Containers",
            dependencies: [
                "CLinux", "Digests", "Events", "Layers", "Linux", "OCI", "Runner", "Snapshots", "Tar", system,
            ]
        ),
        .target(
            name: "Build",
            dependencies: [
                "Changes", "Containers", "Digests", "Dockerfile", "Layers", "Linux", "OCI", "Registry",
                "Runner", "Snapshots", "Tar", system,
            ]
        ),
        .target(
            name: "Containerd",
            dependencies: ["Containers", "Layers", "Linux", "OCI", "Snapshots", system]
        ),

        .executableTarget(
            name: "mica",
            dependencies: [
                "Build", "CLinux", "Changes", "Containers", "Digests", "Dockerfile", "Events", "Images",
                "Layers",
                "Linux", "OCI",
                "Registry", "Runner", "Snapshots", arguments, system,
            ],
            linkerSettings: isStatic + foundation
        ),
        .executableTarget(
            name: "micafs",
            dependencies: [
                "CFUSE", "CLinux", "FUSE", "Layers", "Linux", "Mount", "Options", "Overlay", "Union", system,
            ],
            linkerSettings: isStatic
        ),
        .executableTarget(
            name: "mica-registry",
            dependencies: ["CCurl", "Linux", "OCI", "Registry", system],
            linkerSettings: hasSwift + foundation
        ),
        .executableTarget(
            name: "mica-enter",
            cSettings: [
                .headerSearchPath("../CLinux/include"),
                .unsafeFlags(["-ffreestanding", "-fno-stack-protector"]),
            ],
            linkerSettings: isBare
        ),

        .testTarget(name: "DigestsTests", dependencies: ["Digests"]),
        .target(name: "Scratch", dependencies: ["CLinux"], path: "Tests/Scratch"),
        .testTarget(name: "FUSETests", dependencies: ["FUSE", "Linux", "Nodes", "Scratch", system]),
        .testTarget(
            name: "UnionTests",
            dependencies: [
                "Digests", "Layers", "Linux", "MountFixtures", "Nodes", "Overlay", "Scratch", "Union", system,
            ]
        ),
        .testTarget(name: "EventsTests", dependencies: ["Events", "Linux", "Scratch", system]),
        .testTarget(name: "OverlayTests", dependencies: ["Linux", "Overlay", "Scratch", system]),
        .target(
            name: "ImageFixtures",
            dependencies: ["CCodecs", "Linux", "OCI", "Scratch", "Tar", system],
            path: "Tests/ImageFixtures"
        ),
        .testTarget(
            name: "ImagesTests",
            dependencies: [
                "Dockerfile", "ImageFixtures", "Images", "Layers", "Linux", "OCI", "Snapshots", "Tar", system,
            ]
        ),
        .testTarget(
            name: "RegistryTests",
            dependencies: ["ContainerFixtures", "ImageFixtures", "Linux", "OCI", "Scratch", "Tar", system]
        ),
        .testTarget(name: "OCITests", dependencies: ["ImageFixtures", "Linux", "OCI", "Tar", system]),
        .testTarget(name: "DockerfileTests", dependencies: ["Dockerfile", "Linux", "OCI", system]),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "Scratch", system]),
        .target(
            name: "ContainerFixtures",
            dependencies: ["Linux", "Scratch", system],
            path: "Tests/ContainerFixtures"
        ),
        .testTarget(name: "RunnerTests", dependencies: ["ContainerFixtures", "Linux", "Runner", system]),
        .testTarget(
            name: "ContainersTests",
            dependencies: [
                "Changes", "ContainerFixtures", "Containers", "Layers", "Linux", "Runner", "Snapshots",
                system,
            ]
        ),
        .testTarget(
            name: "SnapshotsTests",
            dependencies: [
                "CLinux", "Changes", "Digests", "Dockerfile", "Layers", "Linux", "MountFixtures", "OCI",
                "Overlay",
                "Scratch",
                "Snapshots", "Tar", system,
            ]
        ),
        .testTarget(
            name: "BuildTests",
            dependencies: ["ContainerFixtures", "Linux", system]
        ),
        .testTarget(
            name: "ContainerdTests",
            dependencies: [
                "Containerd", "Containers", "Digests", "Layers", "Linux", "MountFixtures", "OCI", "Snapshots",
                "Tar",
                system,
            ]
        ),
        .testTarget(name: "MicadTests", dependencies: ["CLinux", "Linux", "MountFixtures", system]),
        .executableTarget(
            name: "StoreClient",
            dependencies: ["Digests", "Layers", "Linux", "OCI", "Snapshots", "Tar", system],
            path: "Tests/StoreClient",
            linkerSettings: hasSwift + foundation
        ),
        .testTarget(name: "TarTests", dependencies: ["Linux", "Tar", system]),
        .testTarget(
            name: "LayersTests",
            dependencies: ["CCodecs", "Digests", "Layers", "Linux", "Scratch", "Tar", system]
        ),
        .target(
            name: "MountFixtures",
            dependencies: ["CLinux", "Linux", "Scratch", system],
            path: "Tests/MountFixtures"
        ),
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["CLinux", "Digests", "FUSE", "Linux", "MountFixtures", system]
        ),
        .testTarget(name: "ClientsTests", dependencies: ["MountFixtures"]),
        .testTarget(name: "ModelTests", dependencies: ["CLinux", "Linux", "MountFixtures", system]),
        .testTarget(
            name: "MicafsTests",
            dependencies: ["FUSE", "Linux", "Mount", "MountFixtures", "Nodes", "Options", system]
        ),
    ]
)

/// micad speaks gRPC, which takes longer to fetch and to build than all of mica: only who asks for it (`make micad`,
/// docs/adr/0040-micad.md) has these dependencies in the graph.
if Context.environment["MICA_WITH_MICAD"] == "1" {
    package.dependencies += [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.90.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ]
    let grpc: [Target.Dependency] = [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
    ]
    let serving: [Target.Dependency] = [
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
    ]
    package.products.append(.executable(name: "micad", targets: ["micad"]))
    package.targets += [
        .target(name: "ContainerdAPI", dependencies: [] + grpc, exclude: ["protos"]),
        .executableTarget(
            name: "micad",
            dependencies: [
                "Containerd", "ContainerdAPI", "Layers", "Linux", "OCI", "Snapshots", arguments, system,
            ]
                + grpc + serving,
            linkerSettings: hasSwift + foundation
        ),
        .executableTarget(
            name: "MicadClient",
            dependencies: [
                "ContainerdAPI",
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
            ] + grpc,
            path: "Tests/MicadClient",
            exclude: ["protos"]
        ),
    ]
}

for target in package.targets {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            // Debug builds compile files in groups, and to which module a C struct belongs then depends on the group.
            .enableUpcomingFeature("MemberImportVisibility", .when(configuration: .release)),
            .treatAllWarnings(as: .error),
        ]
}

import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// A bit of an image's content changes on the disk, below everything that could have noticed: on an ext4 that can have
/// fs-verity, which the kernel may know or not.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A bit that changes on the disk` {
    private static let large = [UInt8]((0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 253) })
    private static let knowsVerity = FilePath("/sys/fs/ext4/features/verity").exists

    @Test func `is an error where the kernel has fs-verity, and fsck says whose it is everywhere`() throws {
        let workspace = try Workspace()
        let disk = try LoopDisk(in: workspace, .verity)
        let store = MicaStore(root: "\(disk.path)/store")
        let layer: Layer = [LayerEntry(path: "large", kind: .file(Self.large)), .file("small", "x")]
        let archive = "\(workspace.path)/changed.tar"
        try Data(try DockerArchive.bytes(of: [layer], named: "changed")).write(
            to: URL(fileURLWithPath: archive)
        )
        try store.run("load", ["-i", archive])
        try store.load([[.file("other", "y")]], as: "untouched", using: workspace)
        let object = try Self.object(of: store)
        do {
            let digest = try OwnedFD.open(object.path, O_RDONLY).verityDigest()
            #expect((digest != nil) == Self.knowsVerity)
            if let digest { #expect(digest == object.digest) }
        }
        try disk.unmount()
        // A block in its middle.
        try disk.flipBit(in: Array(Self.large[163_840..<167_936]))
        try disk.mount()

        let mountpoint = try workspace.directory("mount")
        try store.run("mount", ["changed", mountpoint])
        let found = Result {
            try OwnedFD.open(FilePath("\(mountpoint)/large"), O_RDONLY).contents(limit: 1 << 20)
        }
        switch found {
        case .failure(let error): #expect(error as? Errno == .ioError && Self.knowsVerity, "\(error)")
        case .success(let bytes):
            #expect(!Self.knowsVerity)
            #expect(firstDifference(bytes, from: Self.large) != nil, "no bit was changed")
        }
        try store.run("umount", [mountpoint])

        #expect(throws: Never.self) { try store.run("fsck", []) }
        let report = #expect(throws: Failure.self) { try store.run("fsck", ["--deep"]) }?.description ?? ""
        #expect(report.contains("changed") && report.contains("\(object.path)"), "\(report)")
        #expect(!report.contains("untouched"), "\(report)")
        // And is mended by what it came from.
        try store.run("load", ["-i", archive])
        try store.run("fsck", ["--deep"])
        try store.run("mount", ["changed", mountpoint])
        #expect(
            try firstDifference(
                OwnedFD.open(FilePath("\(mountpoint)/large"), O_RDONLY).contents(limit: 1 << 20),
                from: Self.large
            ) == nil
        )
        try store.run("umount", [mountpoint])
    }

    /// The only one, and the digest that it is named by.
    private static func object(of store: MicaStore) throws -> (path: FilePath, digest: [UInt8]) {
        let directory = FilePath("\(store.root)/objects")
        let paths = try directory.names().flatMap { shard in
            let shard = directory.appending(String(decoding: shard, as: UTF8.self))
            return try shard.names().map { shard.appending(String(decoding: $0, as: UTF8.self)) }
        }
        let path = try #require(paths.first)
        #expect(paths.count == 1)
        let hex = Array(path.components.suffix(2).map(\.string).joined())
        let digest = stride(from: 0, to: hex.count - 1, by: 2).compactMap {
            UInt8(String(hex[$0...$0 + 1]), radix: 16)
        }
        return (path, digest)
    }
}

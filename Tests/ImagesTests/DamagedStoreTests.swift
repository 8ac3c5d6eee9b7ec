import Foundation
import ImageFixtures
import Images
import Layers
import Linux
import OCI
import Snapshots
import Synchronization
import SystemPackage
import Testing

import Glibc

/// Bits that changed on the disk: what is loaded again is mended, and nothing damaged becomes a part of another image.
@Suite(.timeLimit(.minutes(40))) struct `A damaged store` {
    private static let large = String(repeating: "large enough for an object ", count: 5_000)
    private let test: TestStore
    private let layer: [UInt8]
    private let input: ImageInput

    init() throws {
        test = try TestStore()
        layer = try ArchiveFixture.layer(["small": "packed", "large": Self.large])
        input = try test.write(Self.archive([layer], named: "app:1"))
        try test.load(input)
    }

    private static func archive(_ layers: [[UInt8]], named name: String) throws -> ArchiveFixture {
        var fixture = ArchiveFixture()
        try fixture.addIndex([
            try fixture.addImage(
                layers,
                compress: false,
                annotations: [Annotation.imageName: "docker.io/library/\(name)"]
            )
        ])
        return fixture
    }

    private var object: FilePath {
        test.store.layout.object(Array(Self.large.utf8).withUnsafeBytes { TreeHash.digest(of: $0) })
    }

    private var directory: FilePath { test.store.layout.layer(SHA256.digest(of: layer)) }

    /// `at`: in bytes; nil: in its middle.
    private func damage(_ path: FilePath, at offset: Int? = nil) throws {
        chmod(path.string, 0o600)
        let fd = try OwnedFD.open(path, O_RDWR)
        let position = try offset ?? Int(fd.status().st_size) / 2
        var byte: UInt8 = 0
        #expect(pread(fd.raw, &byte, 1, position) == 1)
        byte ^= 1
        #expect(pwrite(fd.raw, &byte, 1, position) == 1)
    }

    private func export() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try LayerExport(layout: test.store.layout).write(SHA256.digest(of: layer)) { bytes += $0 }
        return bytes
    }

    @Test(arguments: ["object", "pack", "index", "recipe"], [true, false])
    func `is mended by loading the image again`(part: String, isThere: Bool) throws {
        let path = part == "object" ? object : directory.appending(part)
        let whole = try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
        if isThere { try damage(path) } else { try path.unlink() }
        #expect(try StoreCheck.run(test.store.layout, isDeep: true, repairs: false).count == 1)
        let events = Mutex<[Digest]>([])
        let loaded = try ImageLoad(store: test.store).load(input) { event in
            if case .damaged(let layer) = event { events.withLock { $0.append(layer) } }
        }
        #expect(loaded.map(\.isNew) == [false])
        #expect(events.withLock { $0 } == [SHA256.digest(of: layer)])
        #expect(try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20) == whole)
        #expect(try export() == layer)
        #expect(try test.store.layout.tmp.names().isEmpty)
        #expect(try StoreCheck.run(test.store.layout, isDeep: true, repairs: false) == [])
    }

    @Test func `lends no damaged content to another image`() throws {
        try damage(object)
        let other = try ArchiveFixture.layer(["else": "x", "same": Self.large])
        try test.load(try test.write(Self.archive([other], named: "other:1"), as: "other.tar"))
        var bytes: [UInt8] = []
        try LayerExport(layout: test.store.layout).write(SHA256.digest(of: other)) { bytes += $0 }
        #expect(bytes == other)
        #expect(try export() == layer)
    }

    @Test func `keeps what is open as it is, while another takes its place`() throws {
        let open = try OwnedFD.open(object, O_RDONLY)
        let before = try open.status()
        try damage(object)
        try test.load(input)
        #expect(try object.status().st_ino != before.st_ino)
        #expect(try open.status().st_nlink == 0)
    }

    /// What has holes is named by its map.
    @Test(arguments: [100_000, 3_000_000, 5_000_000])
    func `knows content with holes by its data and its holes`(
        at offset: Int
    ) throws {
        let tar = try sparseLayer()
        let name = try test.write(Self.archive([tar], named: "sparse:1"), as: "sparse.tar")
        try test.load(name)
        let index = try ChainStore(layout: test.store.layout).layer(SHA256.digest(of: tar))
        let (digest, size) = try index.object(0)
        #expect(size == 8 << 20)
        try damage(test.store.layout.object(digest), at: offset)
        try test.load(try test.write(Self.archive([tar, layer], named: "both:1"), as: "both.tar"))
        var bytes: [UInt8] = []
        try LayerExport(layout: test.store.layout).write(SHA256.digest(of: tar)) { bytes += $0 }
        #expect(bytes == tar)
        #expect(try StoreCheck.run(test.store.layout, isDeep: true, repairs: false) == [])
    }

    /// A file of 8 MiB with data at its beginning and at 5,000,000.
    private func sparseLayer() throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        let file = directory.path.appending("holes")
        do {
            let fd = try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o644)
            try fd.truncate(to: 8 << 20)
            let data = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            try data.withUnsafeBytes { try fd.writeAll($0, at: 0) }
            try data.withUnsafeBytes { try fd.writeAll($0, at: 4_997_120) }
        }
        let tar = directory.path.appending("layer.tar")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/tar")
        process.arguments = ["-S", "--format=pax", "-cf", tar.string, "-C", directory.path.string, "holes"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return try OwnedFD.open(tar, O_RDONLY).contents(limit: 1 << 24)
    }
}

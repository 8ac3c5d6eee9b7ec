import ImageFixtures
import Images
import Layers
import Linux
import OCI
import Snapshots
import Synchronization
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `Loading an image` {
    let layers: [[UInt8]]

    init() throws {
        layers = [
            try ArchiveFixture.layer(["a": "one", "b": String(repeating: "long ", count: 100_000)]),
            try ArchiveFixture.layer(["c": "two"]),
        ]
    }

    private func fixture(_ layers: [[UInt8]]? = nil, compress: Bool = true) throws -> ArchiveFixture {
        var fixture = ArchiveFixture()
        let name = [Annotation.imageName: "docker.io/library/app:1"]
        try fixture.addIndex([
            try fixture.addImage(layers ?? self.layers, compress: compress, annotations: name)
        ])
        return fixture
    }

    @Test func `records it with its layers and its names`() throws {
        let test = try TestStore()
        let loaded = try test.load(try test.write(try fixture()))
        #expect(loaded.map(\.isNew) == [true])
        let image = try test.store.image(named: "app:1")
        #expect(image.layers == layers.map { SHA256.digest(of: $0) })
        #expect(image.config == (try ArchiveFixture.config(layers)))
        #expect(image.created == 1_767_323_045)
        #expect(try test.store.layout.tmp.names().isEmpty)
    }

    @Test func `twice says that it is there already`() throws {
        let test = try TestStore()
        let input = try test.write(try fixture())
        try test.load(input)
        let events = Mutex<[Digest]>([])
        let again = try ImageLoad(store: test.store).load(input) { event in
            if case .alreadyThere(let layer) = event { events.withLock { $0.append(layer) } }
        }
        #expect(again.map(\.isNew) == [false])
        #expect(events.withLock { $0 } == layers.map { SHA256.digest(of: $0) })
        #expect(try test.store.images().count == 1)
    }

    @Test func `with a layer that another image brought doesn't look at its blob`() throws {
        let test = try TestStore()
        try test.load(try test.write(try fixture([layers[0]])))
        var second = try fixture(compress: false)
        let blob = "blobs/sha256/\(SHA256.digest(of: layers[0]).hex)"
        second.files.removeAll { $0.entry.path == Array(blob.utf8) }
        try test.load(try test.write(second))
        #expect(try test.store.image(named: "app:1").layers.count == 2)
    }

    @Test func `from a compressed archive and from a directory is the same`() throws {
        let test = try TestStore()
        let fixture = try fixture()
        try test.directory.write("app.tar.gz", ArchiveFixture.gzip(try fixture.tar()))
        let packed = try test.load(.path(test.directory.path.appending("app.tar.gz")))
        let directory = try TemporaryDirectory()
        try fixture.write(to: directory)
        let unpacked = try test.load(.path(directory.path))
        #expect(packed.map(\.image) == unpacked.map(\.image))
        #expect(unpacked.map(\.isNew) == [false])
    }

    @Test(
        arguments: [
            #""Layers":null"#, #""Layers":[]"#, #""RepoTags":["empty:1"]"#, "a layout: null", "a layout: []",
            "a layout",
        ],
        [#"{"type":"layers"}"#, #"{"type":"layers","diff_ids":null}"#, #"{"type":"layers","diff_ids":[]}"#]
    )
    func `without layers is an image as well`(form: String, rootfs: String) throws {
        let test = try TestStore()
        var fixture = ArchiveFixture()
        let config = Array(#"{"architecture":"amd64","os":"linux","rootfs":\#(rootfs)}"#.utf8)
        if form.hasPrefix("a layout") {
            let blob = try JSONDocument.encode(fixture.addBlob(config, mediaType: MediaType.config))
            let layers = form.split(separator: " ").dropFirst(2).map { #","layers":\#($0)"# }.joined()
            let manifest =
                #"{"schemaVersion":2,"config":\#(String(decoding: blob, as: UTF8.self))\#(layers)}"#
            try fixture.addIndex([fixture.addBlob(Array(manifest.utf8), mediaType: MediaType.manifest)])
        } else {
            fixture.add("c.json", config)
            fixture.add("manifest.json", #"[{"Config":"c.json",\#(form)}]"#)
        }
        let image = try #require(try test.load(try test.write(fixture)).first?.image)
        #expect(image.layers.isEmpty && image.id == SHA256.digest(of: config))
        try test.directory.write("saved.tar", try test.save(["\(image.id)"]))
        let again = try TestStore().load(.path(test.directory.path.appending("saved.tar")))
        #expect(again.map(\.image.id) == [image.id])
    }

    @Test func `with a hard link to what no layer has is refused, and leaves nothing behind`() throws {
        let test = try TestStore()
        func layer(_ target: String) throws -> [UInt8] {
            try ArchiveFixture.tar([
                (TarEntry(path: Array("l".utf8), kind: .hardLink, linkTarget: Array(target.utf8)), [])
            ])
        }
        let message = failure {
            try test.load(try test.write(try fixture([layers[0], layer("d/nothing")])))
        }
        #expect(message.contains("image app:1: layer") && message.contains("\"d/nothing\""), "\(message)")
        #expect(try test.store.images().isEmpty && test.leftover() == nil)
        let alone = failure { try test.load(try test.write(try fixture([layer("d/a"), layers[0]]))) }
        #expect(alone.contains("layer 1 of 2") && alone.contains("\"d/a\""), "\(alone)")
        #expect(try test.store.images().isEmpty && test.leftover() == nil)
        // The same layer over what it needs; then it is there, and still no image that lacks that.
        try test.load(try test.write(try fixture([layers[0], layer("d/a")])))
        let other = try ArchiveFixture.layer(["other": "x"])
        #expect(
            failure { try test.load(try test.write(try fixture([other, layer("d/a")]))) }.contains("\"d/a\"")
        )
        #expect(try test.store.images().count == 1)
    }

    @Test func `by another name takes that instead`() throws {
        let test = try TestStore()
        try test.load(try test.write(try fixture()), as: "other:2")
        #expect(try test.store.images().map(\.tags) == [["docker.io/library/other:2"]])
    }

    /// What can be wrong with the second layer, and words of the message.
    enum Damage: String, CaseIterable {
        case blobDigest, checksum, blobSize, diffID, truncated, missing, hostile
    }

    @Test(arguments: Damage.allCases)
    func `that is damaged names the layer and leaves nothing behind`(damage: Damage) throws {
        let test = try TestStore()
        var fixture = ArchiveFixture()
        var layer = layers[1]
        if damage == .hostile {
            let entry = TarEntry(path: Array("../../x".utf8), kind: .file)
            layer = try ArchiveFixture.tar([(entry, Array("y".utf8))])
        }
        let claimed = damage == .diffID ? Array("another".utf8) : layer
        let config = fixture.addBlob(
            try ArchiveFixture.config([layers[0], claimed]),
            mediaType: MediaType.config
        )
        let first = fixture.addBlob(layers[0], mediaType: MediaType.layer)
        var blob = ArchiveFixture.gzip(layer)
        if damage == .truncated { blob.removeLast(blob.count / 2) }
        var second = fixture.addBlob(blob, mediaType: MediaType.layer + "+gzip")
        switch damage {
        // The system that gzip ran on: the tar that comes out is the same, so nothing else tells.
        case .blobDigest: fixture.files[fixture.files.count - 1].content[9] ^= 1
        case .checksum: fixture.files[fixture.files.count - 1].content[blob.count - 6] ^= 1
        case .blobSize: second.size += 1
        case .missing: fixture.files.removeLast()
        case .diffID, .truncated, .hostile: break
        }
        let manifest = try JSONDocument.encode(Manifest(config: config, layers: [first, second]))
        var image = fixture.addBlob(manifest, mediaType: MediaType.manifest)
        image.annotations = [Annotation.imageName: "app:1"]
        try fixture.addIndex([image])

        let input = try test.write(fixture)
        let message = failure { try test.load(input) }
        if damage == .hostile {
            // Confined to the tree, or refused: never outside.
            if message == "no failure" { return }
        }
        #expect(message.contains("image app:1, layer 2 of 2"), "\(message)")
        #expect(try test.store.images().isEmpty)
        #expect(try test.leftover() == nil)
    }

    @Test func `twice at once gives one image`() throws {
        let test = try TestStore()
        let input = try test.write(try fixture())
        let errors = Mutex<[String]>([])
        let threads = try (0..<4).map { _ in
            try WorkerThread {
                do {
                    _ = try ImageLoad(store: try Store.open(test.store.layout)).load(input) { _ in }
                } catch { errors.withLock { $0.append("\(error)") } }
            }
        }
        for thread in threads { thread.join() }
        #expect(errors.withLock { $0 } == [])
        #expect(try test.store.images().map(\.tags) == [["docker.io/library/app:1"]])
        #expect(try test.store.layout.tmp.names().isEmpty)
    }
}

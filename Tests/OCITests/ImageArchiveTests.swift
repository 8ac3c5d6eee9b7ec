import ImageFixtures
import Linux
import OCI
import SystemPackage
import Tar
import Testing

import Glibc

/// Opens a fixture as a tar.
private func archive(_ fixture: ArchiveFixture, stem: String? = "x") throws -> ImageArchive {
    try archive(bytes: fixture.tar(), stem: stem)
}

private func archive(bytes: [UInt8], stem: String? = "x") throws -> ImageArchive {
    let directory = try TemporaryDirectory()
    try directory.write("archive.tar", bytes)
    let file = BlobFile.Shared(try OwnedFD.open(directory.path.appending("archive.tar"), O_RDONLY))
    return ImageArchive(try TarArchive(file, name: "archive.tar"), stem: stem)
}

private func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no failure"
    } catch { return "\(error)" }
}

private let layers = [[UInt8]("layer one".utf8), [UInt8]("layer two".utf8)]

@Suite(.timeLimit(.minutes(40))) struct `Image archive that is an OCI layout` {
    @Test func `gives its images, with names, in its order`() throws {
        var fixture = ArchiveFixture()
        let one = try fixture.addImage(layers, annotations: [Annotation.refName: "latest"])
        let two = try fixture.addImage(
            [layers[1]],
            annotations: [Annotation.imageName: "docker.io/library/two:2"]
        )
        let three = try fixture.addImage([layers[0]], annotations: [Annotation.refName: "host.x/y:3"])
        let four = try fixture.addImage([])
        try fixture.addIndex([one, two, three, four])
        let archive = try archive(fixture)
        let images = try archive.images()
        #expect(images.map(\.names) == [["x:latest"], ["two:2"], ["host.x/y:3"], []])
        #expect(images[0].layers.map(\.diffID) == layers.map { SHA256.digest(of: $0) })
        let blob = try archive.open(images[0].layers[1], name: "it")
        #expect(try blob.contents(limit: 100, name: "it") == layers[1])
    }

    @Test func `is the same as a directory`() throws {
        var fixture = ArchiveFixture()
        try fixture.addIndex([try fixture.addImage(layers)])
        let directory = try TemporaryDirectory()
        try fixture.write(to: directory)
        let images = try ImageArchive(try LayoutDirectory(directory.path), stem: nil).images()
        #expect(images.map(\.id) == [SHA256.digest(of: try ArchiveFixture.config(layers))])
    }

    @Test func `for several platforms gives the host's, through nested indexes, without attestations`() throws
    {
        var fixture = ArchiveFixture()
        let other = try fixture.addImage([layers[0]], platform: Platform(architecture: "vax"))
        let mine = try fixture.addImage(layers, platform: .host)
        var attestation = try fixture.addImage([], platform: Platform(architecture: "unknown", os: "unknown"))
        attestation.annotations = ["vnd.docker.reference.type": "attestation-manifest"]
        let inner = fixture.addBlob(
            try JSONDocument.encode(Index(manifests: [attestation, other, mine])),
            mediaType: MediaType.index
        )
        var outer = fixture.addBlob(
            try JSONDocument.encode(Index(manifests: [inner])),
            mediaType: MediaType.dockerIndex
        )
        outer.annotations = [Annotation.refName: "multi"]
        try fixture.addIndex([outer])
        let images = try archive(fixture).images()
        #expect(images.map(\.names) == [["x:multi"]])
        #expect(images.first?.layers.count == 2)
        #expect(images.first?.manifestDigest == mine.digest)
    }

    @Test func `with nothing for the host says what it has`() throws {
        var fixture = ArchiveFixture()
        let entries = [
            try fixture.addImage([layers[0]], platform: Platform(architecture: "vax")),
            try fixture.addImage(
                [layers[1]],
                platform: Platform(architecture: "arm", os: "plan9", variant: "v7")
            ),
        ]
        var index = fixture.addBlob(
            try JSONDocument.encode(Index(manifests: entries)),
            mediaType: MediaType.index
        )
        index.annotations = [Annotation.refName: "a"]
        try fixture.addIndex([index])
        let text = message { _ = try archive(fixture).images() }
        #expect(text.contains("linux/vax") && text.contains("plan9/arm/v7"), "\(text)")
    }

    @Test func `with a document that is not what its digest says is refused`() throws {
        var fixture = ArchiveFixture()
        let image = try fixture.addImage(layers)
        try fixture.addIndex([image])
        for position in fixture.files.indices {
            let name = String(decoding: fixture.files[position].entry.path, as: UTF8.self)
            guard name.hasPrefix("blobs/"), fixture.files[position].content.first == UInt8(ascii: "{") else {
                continue
            }
            var damaged = fixture
            damaged.files[position].content[1] ^= 0x20
            #expect(message { _ = try archive(damaged).images() }.contains("damaged"))
            damaged.files[position].content.append(0x20)
            #expect(message { _ = try archive(damaged).images() }.contains("should have"))
            damaged.files.remove(at: position)
            #expect(message { _ = try archive(damaged).images() }.contains("missing"))
        }
    }

    @Test func `with another number of layers than the config has is refused`() throws {
        var fixture = ArchiveFixture()
        let config = fixture.addBlob(try ArchiveFixture.config(layers), mediaType: MediaType.config)
        let layer = fixture.addBlob(layers[0], mediaType: MediaType.layer)
        let manifest = try JSONDocument.encode(Manifest(config: config, layers: [layer]))
        try fixture.addIndex([fixture.addBlob(manifest, mediaType: MediaType.manifest)])
        #expect(message { _ = try archive(fixture).images() }.contains("1 layers, its config 2"))
    }

    @Test func `with an artifact says that it is no image`() throws {
        var fixture = ArchiveFixture()
        let config = fixture.addBlob(Array("{}".utf8), mediaType: "application/vnd.cncf.helm.config.v1+json")
        let manifest = try JSONDocument.encode(Manifest(config: config, layers: []))
        try fixture.addIndex([fixture.addBlob(manifest, mediaType: MediaType.manifest)])
        #expect(message { _ = try archive(fixture).images() }.contains("no container image: "))
    }

    @Test func `whose manifest is an index as well is refused`() throws {
        var fixture = ArchiveFixture()
        let both = #"{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}"#
        try fixture.addIndex([fixture.addBlob(Array(both.utf8), mediaType: MediaType.manifest)])
        #expect(message { _ = try archive(fixture).images() }.contains("neither"))
    }

    @Test func `whose indexes are in a circle or too deep is refused`() throws {
        var fixture = ArchiveFixture()
        var entry = try fixture.addImage(layers)
        for _ in 0..<10 {
            entry = fixture.addBlob(
                try JSONDocument.encode(Index(manifests: [entry])),
                mediaType: MediaType.index
            )
        }
        try fixture.addIndex([entry])
        #expect(message { _ = try archive(fixture).images() }.contains("nested"))
    }

    @Test func `with a blob that is too long for a document is refused before it is read`() throws {
        var fixture = ArchiveFixture()
        let blob = fixture.addBlob([UInt8](repeating: 0x20, count: 5 << 20), mediaType: MediaType.manifest)
        try fixture.addIndex([blob])
        #expect(message { _ = try archive(fixture).images() }.contains("more than 4194304"))
    }
}

@Suite(.timeLimit(.minutes(40))) struct `Image archive that is a docker-archive` {
    private func legacy(_ layers: [String], tags: [String] = ["app:1"]) throws -> ArchiveFixture {
        var fixture = ArchiveFixture()
        let config = try ArchiveFixture.config([Array("one".utf8), Array("one".utf8)])
        let id = SHA256.digest(of: config).hex
        fixture.add("\(id).json", config)
        fixture.add("a/layer.tar", "one")
        let manifest = DockerManifest(config: "\(id).json", repoTags: tags, layers: layers)
        fixture.add("manifest.json", try JSONDocument.encode([manifest]))
        return fixture
    }

    @Test(arguments: [TarEntry.Kind.symbolicLink, .hardLink])
    func `follows links between layers`(kind: TarEntry.Kind) throws {
        var fixture = try legacy(["a/layer.tar", "./b/layer.tar"])
        fixture.link("b/layer.tar", to: kind == .hardLink ? "a/layer.tar" : "../a/layer.tar", kind: kind)
        let archive = try archive(fixture)
        let image = try #require(try archive.images().first)
        #expect(image.names == ["app:1"])
        let second = try archive.open(image.layers[1], name: "it").contents(limit: 10, name: "it")
        #expect(second == Array("one".utf8))
    }

    @Test(arguments: ["../../../../etc/passwd", "/etc/passwd", "b/layer.tar", "nowhere"])
    func `finds nothing outside itself`(target: String) throws {
        var fixture = try legacy(["a/layer.tar", "b/layer.tar"])
        fixture.link("b/layer.tar", to: target)
        let archive = try archive(fixture)
        let image = try #require(try archive.images().first)
        #expect(throws: Failure.self) { try archive.open(image.layers[1], name: "it") }
        for name in ["/etc/passwd", "../etc/passwd", "a/../../etc/passwd"] {
            let fixture = try legacy(["a/layer.tar", name])
            let other = try self.opened(fixture)
            #expect(throws: Failure.self) { try other.0.open(other.1.layers[1], name: "it") }
        }
    }

    private func opened(_ fixture: ArchiveFixture) throws -> (ImageArchive, ArchivedImage) {
        let archive = try archive(fixture)
        return (archive, try #require(try archive.images().first))
    }

    @Test func `with a config that is not what its name says is refused`() throws {
        var fixture = try legacy(["a/layer.tar", "a/layer.tar"])
        fixture.files[0].content[0] = 0x20
        #expect(message { _ = try archive(fixture).images() }.contains("damaged"))
    }

    @Test func `with a name that is none is refused`() throws {
        let fixture = try legacy(["a/layer.tar", "a/layer.tar"], tags: ["../../x"])
        #expect(message { _ = try archive(fixture).images() }.contains("not an image name"))
    }

    @Test func `gives its names to the images of the layout beside it`() throws {
        var fixture = ArchiveFixture()
        try fixture.addIndex([try fixture.addImage(layers)])
        let id = SHA256.digest(of: try ArchiveFixture.config(layers))
        let manifest = DockerManifest(
            config: "blobs/sha256/\(id.hex)",
            repoTags: ["app:1"],
            layers: ["not", "looked at"]
        )
        fixture.add("manifest.json", try JSONDocument.encode([manifest]))
        #expect(try archive(fixture).images().map(\.names) == [["app:1"]])
    }

    @Test func `cut short anywhere fails and says where`() throws {
        let bytes = try legacy(["a/layer.tar", "a/layer.tar"]).tar()
        let whole = try archive(bytes: bytes).images().map(\.id)
        for count in stride(from: 0, to: bytes.count - 1536, by: 256) {
            let images = try? archive(bytes: Array(bytes[..<count])).images().map(\.id)
            // Only the very end can miss without being missed.
            #expect(images == nil || images == whole)
        }
    }

    @Test func `that is a root filesystem says what to do`() throws {
        var fixture = ArchiveFixture()
        fixture.add("etc/passwd", "root")
        #expect(message { _ = try archive(fixture).images() }.contains("mica import"))
    }
}

@Suite(.timeLimit(.minutes(40))) struct `Layout directory` {
    @Test func `opens regular files in it and nothing else`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("inside/a", [1])
        try directory.write("b/c", [2, 3])
        func link(_ name: String, to target: String) {
            let path = directory.path.pushing(FilePath(name))
            #expect(target.withCString { target in path.withPlatformString { symlink(target, $0) } } == 0)
        }
        link("b/up", to: "../inside/a")
        link("b/root", to: "/inside/a")
        link("b/out", to: "../../../../../../etc/passwd")
        link("b/absolute", to: "/etc/passwd")
        link("b/nowhere", to: "nowhere")
        let files = try LayoutDirectory(directory.path)
        #expect(try files.file("b/c")?.size == 2)
        for name in ["inside/a", "b/up", "b/root"] { #expect(try files.file(name)?.size == 1) }
        for name in [
            "", "nothing", "b/c/d", "../secret", "/etc/passwd", "b/../../secret", "b/../inside/a", "b\0",
        ] {
            #expect(((try? files.file(name)) ?? nil) == nil, "\(name)")
        }
        for name in ["b/out", "b/absolute", "b/nowhere", "b", "inside"] {
            #expect(throws: Failure.self, "\(name)") { try files.file(name) }
        }
        let fifo = directory.path.appending("fifo")
        #expect(fifo.withPlatformString { mkfifo($0, 0o600) } == 0)
        #expect(throws: Failure.self) { try files.file("fifo") }
    }
}

import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import Synchronization
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: DockerRegistry.isThere, "docker-registry is not installed")
)
struct `An image that is pushed` {
    private let mica: PullFixture
    private let layout: TemporaryDirectory
    private let index: Descriptor
    private let own: Descriptor

    init() throws {
        mica = try PullFixture()
        layout = try TemporaryDirectory()
        var fixture = ArchiveFixture()
        own = try fixture.addImage(
            [ArchiveFixture.layer(["a": "below"]), ArchiveFixture.layer(["b": "above"])],
            compress: true,
            platform: .host
        )
        let other = try fixture.addImage(
            [ArchiveFixture.layer(["other": "machine"])],
            compress: true,
            platform: Platform(architecture: "s390x")
        )
        index = fixture.addBlob(
            try JSONDocument.encode(Index(manifests: [other, own])),
            mediaType: MediaType.index
        )
        var entry = index
        entry.annotations = [Annotation.refName: "v1"]
        try fixture.addIndex([entry])
        try fixture.write(to: layout)
    }

    private func skopeo(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let skopeo = Process()
        skopeo.executableURL = URL(fileURLWithPath: "/usr/bin/skopeo")
        skopeo.arguments = arguments
        let output = Foundation.Pipe()
        skopeo.standardOutput = output
        try skopeo.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        skopeo.waitUntilExit()
        return (skopeo.terminationStatus, String(decoding: text, as: UTF8.self))
    }

    /// A registry that has the index as team/app:v1, compressed as another program does it.
    private func filled() throws -> DockerRegistry {
        let registry = try DockerRegistry()
        let done = try skopeo([
            "copy", "-q", "--all", "--dest-tls-verify=false", "oci:\(layout.path):v1",
            "docker://\(registry.address)/team/app:v1",
        ])
        #expect(done.status == 0)
        return registry
    }

    /// The digest of what a registry has under a name.
    private func digest(_ name: String) throws -> String {
        let raw = try skopeo(["inspect", "--raw", "--tls-verify=false", "docker://\(name)"])
        #expect(raw.status == 0)
        return "\(SHA256.digest(of: Array(raw.output.utf8)))"
    }

    @Test func `goes as it came, index and all, and a second time not at all`() throws {
        let (source, target) = (try filled(), try DockerRegistry())
        let name = "\(source.address)/team/app:v1"
        let there = "\(target.address)/other/name:v2"
        #expect(try mica("pull", "--platform", "linux/s390x", name).status == 0)
        #expect(try mica("pull", name).status == 0)
        let pushed = try mica("push", name, there)
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(pushed.output == "v2: digest: \(index.digest) size: \(index.size)\n")
        #expect(try digest(there) == "\(index.digest)")
        #expect(try digest("\(target.address)/other/name@\(own.digest)") == "\(own.digest)")

        let uploads = target.uploads
        #expect(uploads > 0)
        let again = try mica("push", "-q", name, there)
        #expect(again.output == "\(target.address)/other/name@\(index.digest)\n", "\(again.error)")
        #expect(target.uploads == uploads)
        // From there it is the same image again.
        let other = try PullFixture()
        #expect(try other("pull", there).status == 0)
        #expect(try other.images() == mica("images", "-q", name).output)
    }

    @Test func `is its own manifest where the others of its index are not here`() throws {
        let (source, target) = (try filled(), try DockerRegistry())
        let name = "\(source.address)/team/app:v1"
        #expect(try mica("pull", name).status == 0)
        #expect(try mica("tag", name, "\(target.address)/a").status == 0)
        let pushed = try mica("push", "\(target.address)/a")
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(pushed.error.contains("its own manifest is pushed alone"))
        #expect(try digest("\(target.address)/a:latest") == "\(own.digest)")
        // Where all of the index is, it is the index that goes.
        let back = try mica("push", name)
        #expect(back.output.contains("\(index.digest)"), "\(back.error)")
        #expect(source.uploads == source.requests.count { $0.hasPrefix("POST ") && $0.contains(" 202 ") })
    }

    @Test func `is taken over from another repository of the registry`() throws {
        let registry = try filled()
        let name = "\(registry.address)/team/app:v1"
        #expect(try mica("pull", name).status == 0)
        let before = registry.requests.count
        let pushed = try mica("push", name, "\(registry.address)/copy:v1")
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(pushed.error.contains("mounted from team/app"))
        let posts = registry.requests.dropFirst(before).filter { $0.hasPrefix("POST ") }
        #expect(posts.count { $0.contains("mount=") && $0.contains("\" 201 ") } == 2)
    }

    @Test(arguments: ["gzip", "zstd"])
    func `and was made here has one digest, whoever asks`(format: String) throws {
        let registry = try DockerRegistry()
        try mica.directory.write(
            "root.tar",
            ArchiveFixture.layer(["a": "made here", "large": String(repeating: "ab", count: 1 << 22)])
        )
        let tar = mica.directory.path.appending("root.tar").string
        #expect(try mica("import", "-q", tar, "made:1").status == 0)
        let first = try mica("push", "--compress", format, "made:1", "\(registry.address)/made:1")
        #expect(first.status == 0, "\(first.error)")
        let uploads = registry.uploads
        let again = try mica("push", "--compress", format, "made:1", "\(registry.address)/made:1")
        #expect(again.output == first.output, "\(again.error)")
        #expect(registry.uploads == uploads)
        let elsewhere = try DockerRegistry()
        #expect(
            try mica("push", "--compress", format, "made:1", "\(elsewhere.address)/made:1").output
                == first.output
        )
        // Others can read it.
        let copied = try skopeo([
            "copy", "-q", "--src-tls-verify=false", "docker://\(registry.address)/made:1",
            "oci:\(mica.directory.path)/copy:v1",
        ])
        #expect(copied.status == 0)
        let other = try PullFixture()
        #expect(
            try other("pull", "-q", "\(elsewhere.address)/made:1").output
                == mica("images", "-q", "--no-trunc", "made:1").output
        )
    }

    /// Of the blobs that were kept one is gone, and one is damaged.
    private func damage() throws {
        let blobs = mica.store.appending("blobs")
        let kept = try blobs.names()
        #expect(kept.count == 2)
        for (number, blob) in kept.enumerated() {
            let path = blobs.appending(String(decoding: blob, as: UTF8.self))
            if number == 0 {
                try path.unlink()
            } else {
                let size = Int(try path.status().st_size)
                try OwnedFD.open(path, O_WRONLY).writeAll([UInt8](repeating: 1, count: size))
            }
        }
    }

    @Test func `goes as it came also where blobs were damaged, from where it came`() throws {
        let (source, target) = (try filled(), try DockerRegistry())
        let name = "\(source.address)/team/app:v1"
        #expect(try mica("pull", name).status == 0)
        try damage()
        let pushed = try mica("push", "-q", name, "\(target.address)/a:v1")
        #expect(pushed.status == 0, "\(pushed.error)")
        #expect(pushed.output == "\(target.address)/a@\(own.digest)\n")
        #expect(pushed.error.contains("fetched again from \(source.address)/team/app"), "\(pushed.error)")
        #expect(try digest("\(target.address)/a:v1") == "\(own.digest)")
        #expect(mica.arrivals == [])
        // They are kept again.
        let elsewhere = try DockerRegistry()
        let again = try mica("push", "-q", name, "\(elsewhere.address)/a:v1")
        #expect(again.output == "\(elsewhere.address)/a@\(own.digest)\n", "\(again.error)")
        #expect(!again.error.contains("fetched"))
        #expect(try mica("fsck", "--deep").status == 0)
    }

    @Test func `never goes with other digests where blobs were damaged, unless that is wanted`() throws {
        let (source, target) = (try filled(), try DockerRegistry())
        let name = "\(source.address)/team/app:v1"
        #expect(try mica("pull", name).status == 0)
        try damage()
        try mica.directory.write(
            "registries.conf",
            Array("[[registry]]\nlocation = \"\(source.address)\"\nblocked = true\n".utf8)
        )
        let refused = try mica("push", name, "\(target.address)/a:v1")
        #expect(refused.status == 1)
        #expect(refused.output == "")
        #expect(
            refused.error.contains("could not be fetched again") && refused.error.contains("--compress gzip"),
            "\(refused.error)"
        )
        #expect(!target.requests.contains { $0.hasPrefix("PUT ") && $0.contains("/manifests/") })
        let pushed = try mica("push", "--compress", "gzip", name, "\(target.address)/a:v1")
        #expect(pushed.status == 0, "\(pushed.error)")
        let other = try PullFixture()
        #expect(try other("pull", "\(target.address)/a:v1").status == 0)
        #expect(try other.images() == mica.images())
    }

    /// Of an archive nothing is kept: its layers have other digests there. Compressing them to find that out is done once.
    @Test func `and was loaded is compressed once`() throws {
        let target = try DockerRegistry()
        let loaded = try mica("load", "-q", "-i", layout.path.string, "-t", "loaded:1")
        #expect(loaded.status == 0, "\(loaded.error)")
        let first = try mica("push", "loaded:1", "\(target.address)/a:v1")
        #expect(first.status == 0, "\(first.error)")
        let uploads = target.uploads
        // Without what it would be compressed from.
        let (layers, away) = (mica.store.appending("layers"), mica.store.appending("away"))
        try layers.rename(to: away)
        let again = try mica("push", "loaded:1", "\(target.address)/a:v1")
        if layers.exists { try layers.removeTree() }
        try away.rename(to: layers)
        #expect(again.output == first.output, "\(again.error)")
        #expect(target.uploads == uploads)
        // To a registry without the blobs they are made again, and are the same.
        let elsewhere = try DockerRegistry()
        let other = try mica("push", "loaded:1", "\(elsewhere.address)/a:v1")
        #expect(other.output == first.output, "\(other.error)")
    }

    @Test func `goes with all its tags, and keeps nothing when it goes from here`() throws {
        let (source, target) = (try filled(), try DockerRegistry())
        let name = "\(source.address)/team/app:v1"
        #expect(try mica("pull", name).status == 0)
        for tag in ["one", "two"] { #expect(try mica("tag", name, "\(target.address)/a:\(tag)").status == 0) }
        let pushed = try mica("push", "-a", "\(target.address)/a")
        #expect(pushed.output.split(separator: "\n").count == 2, "\(pushed.error)")
        #expect(try digest("\(target.address)/a:one") == digest("\(target.address)/a:two"))
        #expect(try mica("push", "-a", "\(target.address)/a:one").status == 64)
        #expect(try mica("push", "none").status == 1)

        #expect(try !mica.store.appending("blobs").names().isEmpty)
        #expect(try mica("gc").status == 0)
        #expect(try !mica.store.appending("blobs").names().isEmpty)
        for name in [name, "\(target.address)/a:one", "\(target.address)/a:two"] {
            #expect(try mica("rmi", name).status == 0)
        }
        #expect(try mica.store.appending("blobs").names().isEmpty)
        #expect(try mica.store.appending("tmp").names().isEmpty)
    }
}

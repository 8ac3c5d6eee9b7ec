import Foundation
import Glibc
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: DockerRegistry.isThere, "docker-registry is not installed")
)
struct `An image of a registry` {
    private let mica: PullFixture
    private let layout: TemporaryDirectory

    init() throws {
        mica = try PullFixture()
        layout = try TemporaryDirectory()
        var fixture = ArchiveFixture()
        let image = try fixture.addImage(
            [ArchiveFixture.layer(["a": "below"]), ArchiveFixture.layer(["b": "above"])],
            compress: true,
            platform: .host,
            annotations: [Annotation.refName: "v1"]
        )
        let other = try fixture.addImage(
            [ArchiveFixture.layer(["other": "machine"])],
            platform: Platform(architecture: "s390x")
        )
        let index = fixture.addBlob(
            try JSONDocument.encode(Index(manifests: [other, image])),
            mediaType: MediaType.index
        )
        var entry = index
        entry.annotations = [Annotation.refName: "v1"]
        try fixture.addIndex([entry])
        try fixture.write(to: layout)
    }

    private func push(to address: String, _ arguments: [String] = []) throws {
        let skopeo = Process()
        skopeo.executableURL = URL(fileURLWithPath: "/usr/bin/skopeo")
        skopeo.arguments =
            ["copy", "-q", "--all", "--dest-tls-verify=false"] + arguments
            + ["oci:\(layout.path):v1", "docker://\(address)/team/app:v1"]
        try skopeo.run()
        skopeo.waitUntilExit()
        #expect(skopeo.terminationStatus == 0)
    }

    @Test func `is what skopeo has pushed, for this machine or for another one`() throws {
        let registry = try DockerRegistry()
        try push(to: registry.address)
        let name = "\(registry.address)/team/app:v1"
        let pulled = try mica("pull", name)
        #expect(pulled.status == 0, "\(pulled.error)")
        #expect(pulled.output == "Pulled: \(name)\n")
        #expect(try mica("pull", name).output == "Already there: \(name)\n")
        #expect(mica.arrivals == [])

        // The same as by way of an archive.
        let loaded = try PullFixture()
        #expect(try loaded("load", "-q", "-i", layout.path.string, "-t", "x").status == 0)
        #expect(try loaded.images() == mica.images())

        let other = try mica("pull", "-q", "--platform", "linux/s390x", name)
        #expect(other.status == 0, "\(other.error)")
        #expect(try mica("inspect", name).output.contains("s390x"))
        let none = try mica("pull", "--platform", "linux/riscv64", name)
        #expect(none.status == 1)
        #expect(none.error.contains("has no image for linux/riscv64"))
    }

    @Test func `is there for those who have the password`() throws {
        // bcrypt of "secret".
        let registry = try DockerRegistry(
            passwords: "user:$2b$04$w0nlhCP1lcHsWr03P96xZevvGhfepIjWLL.YdtaFuBOOlqh/F2igm\n"
        )
        var mica = mica
        let name = "\(registry.address)/team/app:v1"
        let refused = try mica("pull", name)
        #expect(refused.status == 1)
        #expect(refused.error.contains("refuses team/app"))
        #expect(refused.error.contains("mica login \(registry.address)"))

        try push(to: registry.address, ["--dest-creds", "user:secret"])
        let auth = Data("user:secret".utf8).base64EncodedString()
        try mica.directory.write(
            "auth/config.json",
            Array(#"{"auths": {"\#(registry.address)": {"auth": "\#(auth)"}}}"#.utf8)
        )
        mica.environment["DOCKER_CONFIG"] = mica.directory.path.appending("auth").string
        let pulled = try mica("pull", name)
        #expect(pulled.status == 0, "\(pulled.error)")
    }

    @Test func `is missing in plain words`() throws {
        let registry = try DockerRegistry()
        let missing = try mica("pull", "\(registry.address)/no/such")
        #expect(missing.status == 1)
        #expect(missing.error.contains("registry \(registry.address) has no no/such with manifests/latest"))
        #expect(try mica("pull", "UPPER").status != 0)
        #expect(try mica("pull", "--platform", "a/b/c/d", "x").status == 2)
        #expect(try mica.images() == "")
    }
}

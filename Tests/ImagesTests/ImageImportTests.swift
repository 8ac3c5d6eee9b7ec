import Dockerfile
import ImageFixtures
import Images
import OCI
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Importing a root filesystem` {
    @Test func `makes an image of one layer with the config that was asked for`() throws {
        let test = try TestStore()
        let tar = try ArchiveFixture.layer(["a": "one"])
        try test.directory.write("root.tar.gz", ArchiveFixture.gzip(tar))
        let input = ImageInput.path(test.directory.path.appending("root.tar.gz"))
        let image = try ImageImport(store: test.store).load(
            input,
            as: try ImageReference("mine"),
            changes: [try ConfigChange("CMD sh"), try ConfigChange("ENV A=b")],
            message: "by hand",
            created: 1_767_323_045
        )
        #expect(image.tags == ["docker.io/library/mine:latest"])
        #expect(image.layers == [SHA256.digest(of: tar)])
        let config = try ImageConfig(json: image.config, name: "it")
        #expect(config.architecture == Platform.host.architecture)
        #expect(config.created == "2026-01-02T03:04:05Z")
        #expect(config.config?.command == ["/bin/sh", "-c", "sh"])
        #expect(config.config?.environment == ["A=b"])
        #expect(config.history?.map(\.comment) == ["by hand"])
    }

    @Test func `that is no tar says so and leaves nothing behind`() throws {
        let test = try TestStore()
        try test.directory.write("root.tar", [UInt8](repeating: 0x41, count: 4096))
        let input = ImageInput.path(test.directory.path.appending("root.tar"))
        let message = failure { _ = try ImageImport(store: test.store).load(input, as: nil, created: 0) }
        #expect(message.contains("root.tar"), "\(message)")
        #expect(try test.store.images().isEmpty)
        #expect(try test.leftover() == nil)
    }
}

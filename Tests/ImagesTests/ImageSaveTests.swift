import Foundation
import ImageFixtures
import Images
import Linux
import OCI
import Snapshots
import SystemPackage
import Testing

/// Whether a program is in the PATH.
private func isInstalled(_ tool: String) -> Bool {
    ["/usr/bin/\(tool)", "/usr/local/bin/\(tool)"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }
}

/// Runs a shell command; what it prints, and its status.
private func shell(_ command: String) throws -> (output: String, status: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "exec 2>&1; \(command)"]
    let pipe = Foundation.Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (String(decoding: data, as: UTF8.self), process.terminationStatus)
}

@Suite(.timeLimit(.minutes(40))) struct `Saving images` {
    let test: TestStore
    let layers: [[UInt8]]

    init() throws {
        test = try TestStore()
        layers = [
            try ArchiveFixture.layer(["a": "one", "b": String(repeating: "long ", count: 100_000)]),
            try ArchiveFixture.layer(["c": "two"]),
        ]
        var fixture = ArchiveFixture()
        try fixture.addIndex([
            try fixture.addImage(layers, compress: true, annotations: [Annotation.imageName: "app:1"]),
            try fixture.addImage([layers[0]], annotations: [Annotation.imageName: "base:2"]),
        ])
        try test.load(try test.write(fixture))
    }

    @Test func `and loading them elsewhere gives the same images`() throws {
        let archive = try test.save(["app:1", "base:2"])
        let other = try TestStore()
        try other.directory.write("saved.tar", archive)
        let loaded = try other.load(.path(other.directory.path.appending("saved.tar")))
        #expect(loaded.map(\.names) == [["app:1"], ["base:2"]])
        for name in ["app:1", "base:2"] {
            let (here, there) = (try test.store.image(named: name), try other.store.image(named: name))
            #expect(here.id == there.id)
            #expect(here.layers == there.layers)
        }
        let again = try other.save(["app:1", "base:2"]) == archive
        #expect(again)
    }

    @Test func `gives the same bytes again, with one blob a layer`() throws {
        let archive = try test.save(["app:1", "base:2"])
        let again = try test.save(["app:1", "base:2"]) == archive
        #expect(again)
        #expect(archive.count < layers[0].count + layers[1].count + 20_000)
    }

    @Test func `by ID gives no name`() throws {
        let id = try test.store.image(named: "app:1").id
        let other = try TestStore()
        try other.directory.write("saved.tar", try test.save(["\(id)"]))
        let loaded = try other.load(.path(other.directory.path.appending("saved.tar")))
        #expect(loaded.map(\.names) == [[]])
    }

    @Test func `that are not there fails and writes no file`() throws {
        #expect(failure { _ = try test.save(["nothing:1"]) }.contains("no such image"))
        do {
            var file = try OutputFile(test.directory.path.appending("out.tar"))
            try ImageSave(store: test.store).save(["nothing:1"]) { try file.write($0) }
            try file.finish()
        } catch {}
        let names = try test.directory.path.names().map { String(decoding: $0, as: UTF8.self) }
        #expect(!names.contains { $0.contains("out.tar") })
    }

    private func saved() throws -> String {
        let path = test.directory.path.appending("saved.tar")
        try test.directory.write("saved.tar", try test.save(["app:1"]))
        return path.string
    }

    @Test(.enabled(if: isInstalled("skopeo"), "skopeo is not installed"))
    func `is read by skopeo as either format`() throws {
        let path = try saved()
        for source in ["docker-archive:\(path)", "oci-archive:\(path)", "oci-archive:\(path):1"] {
            let (output, status) = try shell("skopeo inspect \(source)")
            #expect(status == 0 && output.contains("of\": \"a test"), "\(output)")
            for layer in layers { #expect(output.contains("\(SHA256.digest(of: layer))"), "\(output)") }
        }
        let copy = test.directory.path.appending("copy").string
        let (output, status) = try shell("skopeo --insecure-policy copy docker-archive:\(path) oci:\(copy):x")
        #expect(status == 0, "\(output)")
        let reloaded = try test.load(.path(FilePath(copy)), as: "copied")
        #expect(reloaded.first?.image.layers == (try test.store.image(named: "app:1").layers))
    }

    @Test(.enabled(if: isInstalled("umoci"), "umoci is not installed"))
    func `is read by umoci`() throws {
        let path = try saved()
        let root = test.directory.path.string
        let (output, status) = try shell(
            "mkdir \(root)/layout && tar -xf \(path) -C \(root)/layout && "
                + "umoci unpack --rootless --image \(root)/layout:1 \(root)/bundle && cat \(root)/bundle/rootfs/d/c"
        )
        #expect(status == 0 && output.hasSuffix("two"), "\(output)")
    }

    @Test(
        .enabled(if: isInstalled("podman") && getuid() == 0, "podman is not installed, or this is not root")
    )
    func `is read by podman`() throws {
        let path = try saved()
        let root = test.directory.path.string
        let podman = "podman --root \(root)/p --runroot \(root)/r --tmpdir \(root)/t --storage-driver vfs"
        let (output, status) = try shell(
            "\(podman) load -i \(path) && \(podman) image inspect --format '{{.RootFS.Layers}}' app:1"
        )
        #expect(status == 0, "\(output)")
        for layer in layers { #expect(output.contains("\(SHA256.digest(of: layer))"), "\(output)") }
    }

    @Test(
        .enabled(if: isInstalled("buildah") && getuid() == 0, "buildah is not installed, or this is not root")
    )
    func `is read by buildah`() throws {
        let path = try saved()
        let root = test.directory.path.string
        let buildah = "buildah --root \(root)/b --runroot \(root)/s --storage-driver vfs"
        let (output, status) = try shell(
            "\(buildah) from --name c docker-archive:\(path) && cat $(\(buildah) mount c)/d/c && \(buildah) umount c"
        )
        #expect(status == 0 && output.contains("two"), "\(output)")
    }
}

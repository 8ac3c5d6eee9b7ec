import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage
import Testing

/// podman and buildah on the other side of a registry.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: PullFixture.program != nil, "no built mica"),
    .enabled(if: DockerRegistry.isThere, "docker-registry is not installed"),
    .enabled(if: geteuid() == 0 && access("/usr/bin/podman", X_OK) == 0, "needs root and podman"),
    .enabled(if: access("/usr/bin/buildah", X_OK) == 0, "needs buildah")
)
struct `Images between mica and other engines` {
    private let mica: PullFixture

    init() throws { mica = try PullFixture() }

    /// With a storage of its own.
    private func engine(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
        let place = mica.directory.path.string
        process.arguments =
            [
                "--root", "\(place)/\(program)", "--runroot", "\(place)/\(program)-run", "--storage-driver",
                "vfs",
            ]
            + arguments
        process.environment = ["HOME": place, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        process.standardInput = FileHandle.nullDevice
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }

    @Test(arguments: ["podman", "buildah"])
    func `are the same both ways`(program: String) throws {
        let registry = try DockerRegistry()
        try mica.directory.write("root.tar", ArchiveFixture.layer(["etc/name": "made here"]))
        let tar = mica.directory.path.appending("root.tar").string
        #expect(try mica("import", "-q", tar, "made:1").status == 0)
        let id = try mica("images", "-q", "--no-trunc", "made:1").output.split(separator: "\n")[0]
        let name = "\(registry.address)/made:1"
        let pushed = try mica("push", "made:1", name)
        #expect(pushed.status == 0, "\(pushed.error)")

        let pulled = try engine(program, ["pull", "-q", "--tls-verify=false", name])
        #expect(pulled.status == 0)
        #expect("sha256:" + pulled.output.split(separator: "\n")[0] == id)
        let back = "docker://\(registry.address)/back:1"
        #expect(try engine(program, ["push", "-q", "--tls-verify=false", name, back]).status == 0)
        let other = try PullFixture()
        let again = try other("pull", "-q", "\(registry.address)/back:1")
        #expect(again.output == "\(id)\n", "\(again.error)")
    }
}

import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// An image whose maker wants to be root on the host, mounted by root, looked at by another user.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A mounted image gives nobody privileges` {
    let workspace: Workspace
    let store: MicaStore
    let target: String

    init() throws {
        workspace = try Workspace()
        chmod(workspace.path, 0o755)
        store = MicaStore(root: try workspace.directory("store"))
        target = try workspace.directory("target")
        // busybox's would give the privileges away by itself.
        let id = try OwnedFD.open("/usr/bin/id", O_RDONLY).contents(limit: 16 << 20)
        try store.load(
            [
                [
                    LayerEntry(path: "id", kind: .file(id), mode: 0o6755),
                    LayerEntry(path: "zero", kind: .character(major: 1, minor: 5), mode: 0o666),
                ]
            ],
            as: "hostile",
            using: workspace
        )
    }

    /// What an ordinary user gets of it: their ids in the set-id program, and a byte of the device or why not.
    private func asNobody() throws -> String {
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/setpriv"),
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c",
                "\(target)/id -u; \(target)/id -g; head -c 1 \(target)/zero 2>/dev/null | wc -c",
            ]
        )
    }

    @Test(arguments: [[], ["--rw"]]) func `unless who mounts it asks for that`(_ kind: [String]) throws {
        try store.run("mount", kind + ["hostile", target])
        #expect(try asNobody() == "65534\n65534\n0\n")
        #expect(umount2(target, 0) == 0)
        try store.run("mount", kind + ["-o", "suid,dev", "hostile", target])
        #expect(try asNobody() == "0\n0\n1\n")
        #expect(umount2(target, 0) == 0)
    }
}

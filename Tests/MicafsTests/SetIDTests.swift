import FUSE
import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// A user who may write to a set-user-id program must not choose what its owner runs.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts")) struct `Set-id bits` {
    private static let capability: XattrName = "security.capability"

    private let workspace: Workspace
    /// Where both sides put files, and no store is kept.
    private let shared: String

    init() throws {
        workspace = try Workspace()
        chmod(workspace.path, 0o755)
        shared = try workspace.directory("shared")
        chmod(shared, 0o777)
    }

    static let modes: [[String]] =
        [["io=cached"], ["writeback=1"]] + (Machine.isKernel(atLeast: 6, 9) ? [["io=passthrough"]] : [])

    /// As an ordinary user.
    private func run(_ script: String) throws {
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["-C", shared, "setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
                + ["sh", "-euc", script]
        )
    }

    private func hasSetID(_ path: String) throws -> Bool {
        try FilePath(path).status().st_mode & (S_ISUID | S_ISGID) != 0
    }

    @Test(arguments: LowerForm.served, modes)
    func `are gone when somebody without privileges wrote`(form: LowerForm, options: [String]) throws {
        let lower = try workspace.directory("lower")
        try OwnedFD.open(FilePath("\(lower)/below"), O_WRONLY | O_CREAT, mode: 0o755).writeAll([1, 2, 3])
        chmod("\(lower)/below", 0o6777)
        let mount = try LayeredMount(
            Lower(lower, as: form, in: workspace),
            in: workspace,
            options: options.flatMap { ["-o", $0] }
        )
        try OwnedFD.open(FilePath("\(mount.path)/new"), O_WRONLY | O_CREAT, mode: 0o755).writeAll([1])
        chmod("\(mount.path)/new", 0o4777)
        for name in ["below", "new"] {
            let path = "\(mount.path)/\(name)"
            #expect(try hasSetID(path))
            try run("printf x >> '\(path)'")
            #expect(try !hasSetID(path), "\(name)")
            #expect(try !hasSetID("\(mount.upper)/\(name)"), "\(name)")

            // Set while the other has it open, and writes afterwards.
            let other = try WorkerThread {
                try? run(
                    "exec 3>>'\(path)'; : > opened; while [ ! -e set ]; do sleep 0.01; done; printf x >&3; rm set"
                )
            }
            while !FilePath("\(shared)/opened").exists { usleep(1000) }
            unlink("\(shared)/opened")
            chmod(path, 0o4777)
            _ = try OwnedFD.open(FilePath("\(shared)/set"), O_WRONLY | O_CREAT, mode: 0o666)
            other.join()
            #expect(try !hasSetID(path), "\(name)")
            #expect(try !hasSetID("\(mount.upper)/\(name)"), "\(name)")
        }
        // Of which there is one that no owner and no mode says.
        for (name, change) in [("below", "printf x >>"), ("new", "truncate -s 2"), ("new", "fallocate -l 9")]
        {
            let path = "\(mount.path)/\(name)"
            try Tool.run(URL(fileURLWithPath: "/usr/bin/env"), ["setcap", "cap_net_raw=ep", path])
            #expect(try Xattr.get(Self.capability, at: FilePath(path)) != nil)
            try run("\(change) '\(path)'")
            #expect(try Xattr.get(Self.capability, at: FilePath(path)) == nil, "\(change)")
            #expect(
                try Xattr.get(Self.capability, at: FilePath("\(mount.upper)/\(name)")) == nil,
                "\(change)"
            )
        }
        // An owner who writes first and sets them then keeps them.
        try run("mkdir own; cp /bin/true own/program; chmod 4755 own/program")
        chmod(mount.path, 0o777)
        try run("cp own/program '\(mount.path)/program'; chmod 4755 '\(mount.path)/program'")
        #expect(try hasSetID("\(mount.path)/program"))
        #expect(try hasSetID("\(mount.upper)/program"))
        try mount.unmount()
    }
}

import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

private let tools = ["setpriv", "unshare", "fusermount3", "getfattr"]
private let canRun = geteuid() == 0 && tools.allSatisfy { FilePath("/usr/bin/\($0)").exists }

/// micafs as a user without privileges, who has a name in /etc/passwd (fusermount3 wants one): nobody.
@Suite(.timeLimit(.minutes(40)), .enabled(if: canRun, "needs root to become nobody, and \(tools)"))
struct `A mount without privileges` {
    private let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        chmod(workspace.path, 0o755)
        try Tool.run(
            URL(fileURLWithPath: "/bin/cp"),
            [Tool.binaries.appendingPathComponent("micafs").path, workspace.path]
        )
    }

    /// Runs `script` as nobody in a directory with `mount`, `upper` and `work`, where `$micafs` mounts `mount`
    /// over a lower with `file` and `dir/in`. In a mount namespace of its own, whose /dev/fuse all may open.
    private func run(
        _ form: LowerForm,
        in namespace: [String],
        _ script: String,
        before: (_ lower: Lower, _ home: String) throws -> Void = { _, _ in }
    ) throws {
        let directory = try workspace.directory("lower")
        try FilePath("\(directory)/dir/in").makeDirectories()
        try OwnedFD.open(FilePath("\(directory)/file"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(
            Array("below\n".utf8)
        )
        let home = try workspace.directory("home")
        for name in ["mount", "upper", "work"] { try FilePath("\(home)/\(name)").makeDirectory() }
        // An image's root is the namespace's; a directory's owner is who it is outside.
        let owner: UInt32 = form == .image && !namespace.isEmpty ? 0 : 65534
        for name in ["", "/dir", "/dir/in", "/file"] { chown(directory + name, owner, owner) }
        try OwnedFD.open(FilePath("\(directory)/theirs"), O_WRONLY | O_CREAT, mode: 0o644).writeAll(
            Array("theirs\n".utf8)
        )
        for name in ["theirs", "file"] { chmod("\(directory)/\(name)", name == "file" ? 0o644 : 0o666) }
        chown("\(directory)/theirs", 1, 1)
        let lower = try Lower(directory, as: form, in: workspace)
        try before(lower, home)
        let arguments = lower.arguments(upper: "\(home)/upper", work: "\(home)/work").joined(separator: " ")
        let device = try workspace.directory("device")
        try Data(
            """
            set -eux
            cd '\(home)'
            micafs='\(workspace.path)/micafs \(arguments)'
            \(script)
            """.utf8
        ).write(to: URL(fileURLWithPath: "\(workspace.path)/script"))
        let setUp = """
            set -eu
            chmod -R a+rX '\(workspace.path)'
            chown -R 65534:65534 '\(home)'
            mount -t tmpfs -o mode=755 none '\(device)'
            mknod -m 666 '\(device)/fuse' c 10 229
            mount --bind '\(device)/fuse' /dev/fuse
            exec setpriv --reuid nobody --regid 65534 --clear-groups \(namespace.joined(separator: " ")) \
              sh '\(workspace.path)/script'
            """
        try Tool.run(URL(fileURLWithPath: "/usr/bin/unshare"), ["--mount", "sh", "-c", setUp])
    }

    private static let use = """
        test "$(cat mount/file)" = below
        echo above > mount/file
        test "$(cat mount/file)" = above
        # Whose owner the daemon can't give a file to: it stays as it is, but can be deleted.
        if echo more | tee -a mount/theirs 2> errors; then exit 1; fi
        grep -Eq 'not permitted|denied' errors
        test "$(cat mount/theirs)" = theirs
        # The kernel lets nobody change it in a namespace that has no number for its owner (EOVERFLOW).
        if [ "$(id -u)" != 0 ]; then rm mount/theirs; test ! -e mount/theirs; fi
        rm -r mount/dir
        mkdir mount/dir
        test -z "$(ls mount/dir)"
        touch mount/new
        test "$(stat -c %u mount/new)" = "$(id -u)"
        """

    /// umount(2) does not wait for the daemon, and the next one not for ever.
    private static let waitForEnd = "flock work true"

    private static let remount = """
        $micafs mount
        test "$(cat mount/file)" = above
        test -z "$(ls mount/dir)"
        test -e mount/new
        test "$(id -u)" = 0 || test ! -e mount/theirs
        """

    /// The notes are in attributes that a user can set.
    private static let check = """
        getfattr --absolute-names -d -m - upper/dir | grep -q '^user.overlay.opaque="y"'
        test -f upper/new
        """

    @Test(arguments: LowerForm.allCases) func `is made and changed in a user namespace`(form: LowerForm)
        throws
    {
        try run(
            form,
            in: ["unshare", "--user", "--map-root-user", "--mount"],
            """
            $micafs mount
            grep -q "$PWD/mount .* fuse.mica .*user_id=0.*allow_other" /proc/self/mountinfo
            \(Self.use)
            umount mount
            \(Self.waitForEnd)
            \(Self.check)
            \(Self.remount)
            umount mount
            """
        )
    }

    @Test(arguments: LowerForm.allCases) func `is made by fusermount3 outside of one`(form: LowerForm) throws
    {
        try run(
            form,
            in: [],
            """
            $micafs -o noatime,fsname=a\\\\,b mount
            grep -q "$PWD/mount .*nosuid,nodev,noatime.* fuse.mica a,b .*user_id=65534" /proc/self/mountinfo
            \(Self.use)
            fusermount3 -u mount
            \(Self.waitForEnd)
            \(Self.check)
            \(Self.remount)
            fusermount3 -u mount
            """
        )
    }

    @Test(arguments: ["TERM", "INT", "HUP"]) func `ends with the daemon's signals`(signal: String) throws {
        try run(
            .image,
            in: [],
            """
            $micafs -f mount &
            daemon=$!
            trap 'kill $daemon' EXIT
            until grep -q "$PWD/mount " /proc/self/mountinfo; do kill -0 $daemon; sleep 0.02; done
            test "$(cat mount/file)" = below
            kill -\(signal) $daemon
            wait $daemon
            trap - EXIT
            ! grep "$PWD/mount " /proc/self/mountinfo
            """
        )
    }

    @Test(arguments: LowerForm.allCases) func `is refused where the upper has marks that it would not see`(
        form: LowerForm
    ) throws {
        try run(
            form,
            in: ["unshare", "--user", "--map-root-user", "--mount"],
            """
            $micafs mount
            mv mount/dir mount/moved
            umount mount
            \(Self.waitForEnd)
            """
        )
        let home = "\(workspace.path)/home"
        let lower = try Lower("\(workspace.path)/lower", as: form, in: workspace)
        func mount(_ more: [String]) throws {
            let micafs = Tool.binaries.appendingPathComponent("micafs")
            let arguments = lower.arguments(upper: "\(home)/upper", work: "\(home)/work")
            try Tool.run(micafs, arguments + more + ["\(home)/mount"])
        }
        let failure = #expect(throws: Failure.self) { try mount([]) }
        #expect(failure?.description.contains("userxattr") == true)
        // As it says.
        try mount(["-o", "userxattr"])
        #expect(FilePath("\(home)/mount/moved/in").exists)
        try Tool.run(URL(fileURLWithPath: "/bin/umount"), ["\(home)/mount"])
    }

    @Test(arguments: LowerForm.allCases) func `is refused where root began the upper`(form: LowerForm) throws
    {
        // The script that is run without privileges starts where root has left off.
        try run(
            form,
            in: ["unshare", "--user", "--map-root-user", "--mount"],
            """
            if $micafs mount 2> errors; then exit 1; fi
            grep -q 'extended attributes' errors
            grep -q 'privileges' errors
            """,
            before: { lower, home in
                let mount = "\(home)/mount"
                let micafs = Tool.binaries.appendingPathComponent("micafs")
                let arguments = lower.arguments(upper: "\(home)/upper", work: "\(home)/work")
                try Tool.run(micafs, arguments + [mount])
                #expect(rename("\(mount)/dir", "\(mount)/moved") == 0)
                try Tool.run(URL(fileURLWithPath: "/bin/umount"), [mount])
                // The daemon holds the work directory until it ends.
                let work = try OwnedFD.open(FilePath("\(home)/work"), O_RDONLY | O_DIRECTORY)
                _ = try work.use { raw throws(Errno) in try Errno.retrying { flock(raw, LOCK_EX) } }
            }
        )
    }

    @Test func `is refused in words that say why`() throws {
        try run(
            .image,
            in: [],
            """
            refused() { if "$@" 2> errors; then exit 1; fi; cat errors >&2; }
            refused $micafs -o strictatime mount
            grep -q 'strictatime' errors
            grep -q '^user_allow_other' /etc/fuse.conf || {
                refused $micafs -o allow_other mount
                grep -q "user_allow_other" errors
            }
            if PATH=/nowhere $micafs mount 2> errors; then exit 1; fi
            grep -q 'fusermount3 is not installed' errors
            # The directory of somebody else.
            refused $micafs /usr
            grep -q 'fusermount3 refused' errors
            ! grep "$PWD/mount " /proc/self/mountinfo
            """
        )
    }
}

import Foundation
import Glibc
import Linux
import MountFixtures
import Testing

/// What `make install` puts in place, used by the programs that look for it there: mount(8), libfuse's mount.fuse3.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `The installed helpers` {
    let workspace: Workspace
    let destination: String

    init() throws {
        workspace = try Workspace()
        destination = try workspace.directory("destination")
        try make("install")
    }

    private func make(_ target: String) throws {
        // What the tests run is built already, and a build within a build would wait for itself.
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/make"),
            [
                "-C", Tool.package.path, target, "DESTDIR=\(destination)", "BUILD=true",
                "BINARIES=\(Tool.binaries.path)",
            ]
        )
    }

    private func installed() throws -> [String] {
        let files = FileManager.default.enumerator(atPath: destination)?.compactMap { $0 as? String } ?? []
        return files.filter { path in
            let type = try? FileManager.default.attributesOfItem(atPath: "\(destination)/\(path)")[.type]
            return type as? FileAttributeType != .typeDirectory
        }.sorted()
    }

    /// Runs a shell script in a mount namespace of its own, in which `destination` is installed: nothing it mounts
    /// is left. There are an image `layered`, a directory `target`, and `at`, which says how that is mounted.
    private func shell(_ script: String) throws -> String {
        let store = MicaStore(root: try workspace.directory("store"))
        try store.load([TrickyLayers.bottom], as: "layered", using: workspace)
        _ = try workspace.directory("target")
        let prelude = """
            set -eu
            cd \(workspace.path)
            mount -t overlay -o lowerdir=\(destination)/sbin:/usr/sbin sbin /usr/sbin
            mount -t overlay -o lowerdir=\(destination)/usr/local/bin:/usr/local/bin bin /usr/local/bin
            export MICA_ROOT=\(store.root)
            at() { findmnt -n -o SOURCE,FSTYPE,VFS-OPTIONS --raw "$PWD/target"; }

            """
        return try Tool.run(
            URL(fileURLWithPath: "/usr/bin/unshare"),
            ["--mount", "--propagation", "private", "bash", "-c", prelude + script]
        )
    }

    @Test func `are all taken away by make uninstall`() throws {
        let files = try installed()
        #expect(
            Set(files).isSuperset(of: [
                "sbin/mount.mica", "sbin/mount.fuse.mica", "sbin/mount.fuse3.mica",
                "usr/local/bin/mica", "usr/local/bin/micafs",
                "usr/local/share/man/man1/mica.1", "usr/local/share/man/man8/mount.mica.8",
                "usr/local/share/doc/mica/systemd/srv-debian.mount",
                "usr/local/share/doc/mica/docs/docker.md",
                "usr/local/share/bash-completion/completions/mica",
                "usr/local/share/zsh/site-functions/_mica",
                "usr/local/share/fish/vendor_completions.d/mica.fish",
            ]),
            "\(files)"
        )
        try make("uninstall")
        #expect(try installed() == [])
        #expect(!FileManager.default.fileExists(atPath: "\(destination)/usr/local/share/doc/mica"))
    }

    @Test func `complete verbs, options and the names of what is there`() throws {
        let output = try shell(
            """
            offer() {
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
                COMP_POINT=${#COMP_LINE}
                _mica mica "${@: -1}" "${@: -2:1}"
                printf '%s\\n' "${COMPREPLY[@]}" | sed 's/ *$//' | grep -xE -- "$expected" | sort | xargs echo
            }
            source \(destination)/usr/local/share/bash-completion/completions/mica || true
            set +eu
            expected='umount' offer mica um
            expected='--read-only' offer mica run --read
            expected='layered:latest' offer mica history lay
            """
        )
        #expect(output == "umount\n--read-only\nlayered:latest\n")
    }

    @Test(arguments: ["mica", "fuse.mica", "fuse3.mica"])
    func `serve every name of the type`(type: String) throws {
        let output = try shell(
            """
            mount -t \(type) -o ro,nosuid layered target; at; umount target
            mount -t \(type) -o rw,name=kept layered target >&2; touch target/new; umount target
            mount -t \(type) -o name=kept,noatime,nodiratime,strictatime,nostrictatime layered target >&2
            at; ls -d target/new; umount target
            mount -t \(type) -o ro,allow_suid layered target; at; umount target
            mount -t \(type) -o ro,allow_dev,noexec layered target; at; umount target
            """
        )
        #expect(
            output == """
                layered fuse.mica ro,nosuid,nodev,relatime
                kept fuse.mica rw,nosuid,nodev,noatime,nodiratime
                target/new
                layered fuse.mica ro,nodev,relatime
                layered fuse.mica ro,nosuid,noexec,relatime

                """
        )
    }

    @Test func `serve what mount.fuse3 makes of a type, as containerd calls it`() throws {
        let output = try shell(
            """
            mount.fuse3 layered target -o ro,nodev -t mica; at; umount target
            mount.fuse3 layered target -o name=kept -t mica >&2; at; umount target
            mount -t fuse 'mica#layered' -o ro target; at; umount target
            mount.fuse3 layered target -o ro,suid -t mica; at; umount target
            mount.fuse3 layered target -o ro,dev,nosuid -t mica; at; umount target
            mount -t fuse 'mica#layered' -o ro,allow_suid target; at; umount target
            """
        )
        // It adds dev and suid by itself: the user did not ask for that.
        #expect(
            output == """
                layered fuse.mica ro,nosuid,nodev,relatime
                kept fuse.mica rw,nosuid,nodev,relatime
                layered fuse.mica ro,nosuid,nodev,relatime
                layered fuse.mica ro,nodev,relatime
                layered fuse.mica ro,nosuid,relatime
                layered fuse.mica ro,nodev,relatime

                """
        )
    }

    @Test func `read a line of fstab, with the options that are for others`() throws {
        let output = try shell(
            """
            echo "layered $PWD/target mica ro,noauto,nofail,_netdev,user,x-systemd.automount,x-a=b,root=$MICA_ROOT" > fstab
            mount --bind fstab /etc/fstab
            unset MICA_ROOT
            mount target; at; umount target
            mount -a; at || echo nothing for -a
            """
        )
        #expect(output == "layered fuse.mica ro,nosuid,nodev,noexec,relatime\nnothing for -a\n")
    }

    @Test func `remount`() throws {
        let output = try shell(
            """
            mount -t mica -o name=kept layered target >&2
            mount -o remount,ro target; at; ! touch target/new 2>/dev/null
            mount -o remount,rw,noexec target; at; touch target/new
            mount -t mica -o remount,ro kept target; at
            mount -t mica -o remount,allow_suid kept target; at; umount target
            """
        )
        #expect(
            output == """
                kept fuse.mica ro,nosuid,nodev,relatime
                kept fuse.mica rw,nosuid,nodev,noexec,relatime
                kept fuse.mica ro,nosuid,nodev,noexec,relatime
                kept fuse.mica rw,nodev,noexec,relatime

                """
        )
    }

    @Test func `mount in another namespace`() throws {
        let output = try shell(
            """
            mkdir namespaces
            mount --bind namespaces namespaces
            mount --make-private namespaces
            touch namespaces/other
            # It binds the namespace from outside while its first process is about to be there: EINVAL now and then.
            for try in $(seq 100); do
                unshare --mount=namespaces/other true 2>&1 && break
                sleep 0.1
            done >&2
            mount -N "$PWD/namespaces/other" -t mica -o ro layered "$PWD/target"
            at || echo not here
            nsenter --mount=namespaces/other findmnt -n -o SOURCE "$PWD/target"
            nsenter --mount=namespaces/other umount "$PWD/target"
            umount namespaces/other
            """
        )
        #expect(output == "not here\nlayered\n")
    }

    @Test func `are what the units for systemd ask for`() throws {
        let units = try installed().filter { $0.contains("/systemd/") }
        #expect(units.count == 2)
        // The directory's own name is in a unit's: there is nothing that could be tried without being systemd.
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/systemd-analyze"),
            ["verify", "--man=no"] + units.map { "\(destination)/\($0)" }
        )
    }
}

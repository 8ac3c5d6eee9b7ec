import Foundation
import MountFixtures
import Testing

import Glibc

/// micad where a rootless containerd would have it: as root of a user namespace that an ordinary user made.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: ContainerdFixture.isBuilt, "set MICA_BINARIES to where micad is: make micad"),
    .enabled(if: geteuid() == 0, "needs root, to become an ordinary user")
)
struct `micad in a user namespace` {
    /// In a mount namespace of its own, as root.
    private static let outer = #"""
        set -eu
        binaries=$1 path=$2
        mkdir "$path/home" "$path/device" "$path/bin"
        chmod -R a+rX "$path"
        chown 65534:65534 "$path/home"
        mount --bind "$binaries" "$path/bin"
        mount -t tmpfs -o mode=755 none "$path/device"
        mknod -m 666 "$path/device/fuse" c 10 229
        mount --bind "$path/device/fuse" /dev/fuse
        exec setpriv --reuid nobody --regid 65534 --clear-groups \
            unshare -Urm sh "$path/inner" "$path"
        """#

    private static let inner = #"""
        set -eu
        cd "$1/home"
        micad= root=
        trap 'test -z "$micad" || kill -9 $micad; test -z "$root" || umount -l "$root"' EXIT
        start() {
            rm -f run/socket
            "$1/bin/micad" --root "$PWD/store" --socket "$PWD/run/socket" --state "$PWD/run" >> log 2>&1 &
            micad=$!
            i=0
            until test -S run/socket; do
                i=$((i + 1))
                if test $i = 1200; then cat log >&2; exit 1; fi
                sleep 0.1
            done
        }
        start "$1"
        root=$("$1/bin/MicadClient" "$PWD/run/socket" "$PWD/run/socket" active one)
        echo written > "$root/file"
        kill -9 $micad
        wait $micad || true
        cat "$root/file"
        start "$1"
        again=$("$1/bin/MicadClient" "$PWD/run/socket" "$PWD/run/socket" mounts one)
        test "$again" = "$root"
        stat -f -c %t "$root"
        stat -c %u "$root/file"
        """#

    @Test func `mounts snapshots, which outlive it, below a directory of the machine's root`() throws {
        let workspace = try Workspace()
        try Self.inner.write(toFile: "\(workspace.path)/inner", atomically: false, encoding: .utf8)
        let output = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/unshare"),
            ["--mount", "sh", "-c", Self.outer, "sh", Tool.binaries.path, workspace.path]
        )
        // FUSE's magic number, and the namespace's root.
        #expect(output == "written\n65735546\n0\n")
    }
}

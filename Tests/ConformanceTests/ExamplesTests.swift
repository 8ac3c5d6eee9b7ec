import Foundation
import Glibc
import Linux
import MountFixtures
import Testing

/// What README.md and the man pages show is done as it stands there.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0, "mounts, and runs containers")
)
struct `The examples` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Tool.package.appendingPathComponent(name), encoding: .utf8)
    }

    /// In a mount namespace of its own: with mica and its helper in place, a store, the image `debian:12`, which podman
    /// and docker have as well, and empty directories to mount on.
    private func shell(_ script: String) throws -> String {
        let prelude = """
            set -eu
            cd \(workspace.path)
            mkdir -p store bin sbin srv/debian mnt
            export MICA_ROOT=$PWD/store PATH=\(Tool.binaries.path):$PWD/bin:$PATH
            mkdir -p root/bin root/etc root/tmp root/root root/usr/share/doc
            cp "$(command -v busybox)" root/bin/busybox
            for applet in sh id cat ls grep echo hostname rm tail sleep true; do
                ln -sf busybox root/bin/$applet
            done
            printf '#!/bin/sh\\nexec sh "$@"\\n' > root/bin/bash
            chmod +x root/bin/bash
            echo 'root:x:0:0:root:/root:/bin/sh' > root/etc/passwd
            echo 'root:x:0:' > root/etc/group
            echo 'PRETTY_NAME="the demo"' > root/etc/os-release
            echo document > root/usr/share/doc/1.txt
            tar -C root -cf rootfs.tar .
            mica import -q rootfs.tar debian:12 > /dev/null
            mica save -o debian.tar debian:12
            printf '#!/bin/sh\\nexec cat \(workspace.path)/debian.tar\\n' > bin/podman
            chmod +x bin/podman
            cp \(Tool.package.path)/mount-helpers/mount.mica sbin/
            mount -t overlay -o lowerdir=sbin:/usr/sbin sbin /usr/sbin
            mount -t overlay -o lowerdir=\(Tool.binaries.path):/usr/local/bin bin /usr/local/bin
            mount --bind mnt /mnt
            mount --bind srv /srv

            """
        return try Tool.run(
            URL(fileURLWithPath: "/usr/bin/unshare"),
            ["--mount", "--propagation", "private", "bash", "-c", prelude + script]
        )
    }

    /// The literal displays of a page's EXAMPLES.
    private func examples(of page: String) throws -> [String] {
        let lines = try text("docs/man/\(page)").split(separator: "\n", omittingEmptySubsequences: false)
        let section = lines.drop { $0 != ".Sh EXAMPLES" }.dropFirst().prefix { !$0.hasPrefix(".Sh") }
        return section.split { $0.hasPrefix(".Bd ") }.dropFirst().map { display in
            display.prefix { $0 != ".Ed" }.joined(separator: "\n").replacing("\\-", with: "-")
        }
    }

    @Test func `of mica(1) work`() throws {
        let examples = try examples(of: "mica.1")
        #expect(examples.count >= 2)
        for example in examples { _ = try shell(example) }
    }

    @Test func `of micafs(1) work`() throws {
        let examples = try examples(of: "micafs.1").filter { $0.contains("micafs -o") }
        #expect(examples.count == 1)
        for example in examples { _ = try shell(example) }
    }

    @Test func `of mount.mica(8) work`() throws {
        let examples = try examples(of: "mount.mica.8")
        let lines = examples.filter { $0.hasPrefix("debian:12 ") }
        let commands = examples.filter { $0.hasPrefix("mount ") }
        #expect(lines.count == 1 && commands.count == 1)
        let script = """
            echo '\(lines[0])' > fstab
            mount --bind fstab /etc/fstab
            mount /srv/debian >&2
            findmnt -n -o SOURCE,FSTYPE /srv/debian
            umount /srv/debian
            \(commands[0]) >&2
            findmnt -n -o SOURCE,FSTYPE /srv/debian
            umount /srv/debian
            """
        #expect(try shell(script) == "srv-debian fuse.mica\nsrv-debian fuse.mica\n")
    }

    /// What is another one each time: IDs, sizes, ages.
    private func blurred(_ line: Substring) -> String {
        String(line).replacing(/sha256:[0-9a-f]{64}/, with: "ID").replacing(/\b[0-9a-f]{64}\b/, with: "ID")
            .replacing(/\b[0-9a-f]{12}\b/, with: "ID")
            .replacing(/\b[0-9.]+(kB|MB|B)\b/, with: "SIZE").replacing(/Up \S+( \S+)?/, with: "AGE")
            .replacing(/just now|[0-9]+ (second|minute)s? ago/, with: "AGE")
            .split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    @Test func `of the README's tour print what they say`() throws {
        let blocks = try text("README.md").split(separator: "```console\n").dropFirst().compactMap {
            $0.split(separator: "```", maxSplits: 1, omittingEmptySubsequences: false).first
        }
        let lines = blocks.flatMap { $0.split(separator: "\n") }
        #expect(lines.count { $0.hasPrefix("$ ") } > 20)
        // Each command with what it prints, its name before it; one that is to fail goes on.
        let commands = lines.filter { $0.hasPrefix("$ ") }.map { line in
            "cat <<'END'\n\(line)\nEND\n\(line.dropFirst(2)) || true"
        }
        let printed = try shell(
            "mica rmi debian:12 > /dev/null\n{ \(commands.joined(separator: "\n")) \n} 2>&1"
        )
        #expect(printed.split(separator: "\n").map(blurred) == lines.map(blurred))
    }

    @Test func `at the top of the README work`() throws {
        let readme = try text("README.md")
        let block = try #require(readme.split(separator: "```\n").dropFirst().first)
        let lines = block.split(separator: "\n").map { $0.split(separator: "  #")[0] }
        // There is no such registry here: the other way is tried.
        #expect(lines.count == 3 && lines[0].hasPrefix("mica pull"))
        let other = try #require(block.split(separator: "\n")[0].split(separator: "# or: ").last)
        let output = try shell(
            """
            mica rmi debian:12 > /dev/null
            \(other) > /dev/null
            \(lines[1]); ls -d /mnt/etc/os-release; mica umount /mnt
            echo 'cat /etc/os-release' | \(lines[2].replacing("-it", with: "-i"))
            """
        )
        #expect(output == "/mnt/etc/os-release\nPRETTY_NAME=\"the demo\"\n")
    }
}

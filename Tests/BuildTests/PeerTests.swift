import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

/// The same Dockerfiles built by buildah, over a storage of its own: the trees and the configs have to be the same.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(
        if: BuildBox.isPossible && FilePath("/usr/bin/buildah").exists,
        "mounts, and needs root, busybox-static, buildah and the built mica"
    )
)
struct `Builds by mica and by buildah` {
    let box: BuildBox
    private let base = "localhost/base:1"

    init() throws {
        box = try BuildBox()
        try box.mica("tag", "base:1", base)
        let archive = box.base.appending("base.archive").string
        try box.mica("save", "-o", archive, base)
        try buildah("pull", "docker-archive:\(archive)")
    }

    private func buildah(_ arguments: String...) throws {
        let storage = box.base.appending("buildah")
        try storage.makeDirectories()
        // Mounts that it leaves are in a namespace that ends with it.
        try box.run(
            "/usr/bin/unshare",
            [
                "--mount", "--propagation", "private", "/usr/bin/buildah", "--storage-driver", "vfs",
                "--root",
                "\(storage)/graph", "--runroot", "\(storage)/run",
            ] + arguments,
            ["TMPDIR": storage.string, "BUILDAH_ISOLATION": "chroot"]
        )
    }

    /// Lines of what an image of `mica`'s store has in it, without times.
    private func tree(_ image: String) throws -> [Substring] {
        let tar = box.base.appending("tree.tar").string
        try box.run(
            box.program.path,
            ["build", "-q", "-f", "-", "-o", "type=tar,dest=\(tar)", "."],
            input: "FROM \(image)\n"
        )
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("engines/list-tar").path
        return try box.run("/bin/sh", ["-c", "\(script) < \(tar)"]).split(separator: "\n")
    }

    private static let dockerfiles = [
        """
        FROM localhost/base:1
        ARG NAME=value
        ARG OTHER
        ENV A=${NAME:-none} B=${OTHER:-b} C=${NAME:+c} D="a b" E=\\$A
        LABEL a=$A b="$D"
        ENV A=new A2=$A
        WORKDIR /one
        WORKDIR two
        EXPOSE 80 53/udp
        VOLUME /data
        STOPSIGNAL SIGINT
        ENTRYPOINT ["echo"]
        CMD ["x", "y"]
        USER ann
        """,
        """
        FROM localhost/base:1
        COPY dir /contents
        COPY dir/a dir/sub/b /into/
        COPY x1 /renamed
        COPY x* /wild/
        COPY --chown=1:2 x1 /owned/
        COPY --chmod=640 x1 /moded
        RUN mkdir /made && chmod 1777 /made && echo a > /made/a && ln /made/a /made/b && ln -s a /made/c
        RUN rm /wild/x1 /bin/tty && chown 5:6 /made/a
        ADD t.tgz /unpacked/
        """,
        """
        FROM localhost/base:1 AS one
        RUN mkdir -p /d/e && echo text > /d/e/f && chown -R 7:8 /d
        FROM localhost/base:1
        COPY --from=one /d /copied
        COPY --from=one /d/e/f /file
        CMD echo shell form
        HEALTHCHECK --interval=5s --retries=2 CMD true
        """,
        """
        FROM scratch
        COPY dir /
        ENV A=1
        """,
    ]

    @Test(arguments: dockerfiles.indices) func `are the same`(number: Int) throws {
        let dockerfile = `Builds by mica and by buildah`.dockerfiles[number]
        try box.write("dir/a", "a")
        try box.write("dir/sub/b", "b")
        try box.write("x1", "1")
        try box.write("x2", "2")
        try box.run(
            "/bin/tar",
            [
                "--numeric-owner", "--owner=3", "--group=4", "-C", box.context.string, "-czf",
                box.context.appending("t.tgz").string, "dir",
            ]
        )
        let own = "mine:1"
        try box.image(dockerfile, ["-t", own])
        let archive = box.base.appending("theirs").string
        try buildah(
            "build",
            "--quiet",
            "--layers=false",
            "--format",
            "docker",
            "-t",
            "theirs:1",
            box.context.string
        )
        try buildah("push", "--quiet", "localhost/theirs:1", "docker-archive:\(archive):theirs:1")
        try box.mica("load", "-q", "-i", archive)
        // What it has mounted on during RUN stays in its images.
        let stubs = ["dev", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "run", "sys"]
        let expected = try tree("theirs:1").filter { !stubs.contains(String($0.prefix { $0 != " " })) }
        #expect(try tree(own) == expected)
        let (mine, theirs) = (try box.config(of: own), try box.config(of: "theirs:1"))
        for name in [
            "User", "Env", "Entrypoint", "Cmd", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal",
            "Healthcheck",
            "Labels",
        ] {
            #expect(said(mine[name], of: name) == said(theirs[name], of: name), "\(name)")
        }
    }

    /// The value of a config's member; nil where it is the same as none.
    private func said(_ value: Any?, of name: String) -> NSObject? {
        switch value {
        case let text as String:
            // BuildKit says so of an image from scratch.
            return text.isEmpty || name == "WorkingDir" && text == "/" ? nil : text as NSString
        case let list as [Any]: return list.isEmpty ? nil : list as NSArray
        case var members as [String: Any]:
            // Its own labels.
            for key in members.keys where key.hasPrefix("io.buildah") { members[key] = nil }
            return members.isEmpty ? nil : members as NSDictionary
        default: return nil
        }
    }
}

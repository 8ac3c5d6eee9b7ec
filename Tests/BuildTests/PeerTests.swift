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

    /// Of files that a builder did not make: their times, which are long ago in the context and in archives.
    private func times() throws -> [Substring] {
        let list =
            "tar --full-time -tvf '\(box.base)/tree.tar' | grep -v ^d | tr -s ' ' | grep ' 2001-02-03 ' || true"
        return try box.run("/bin/sh", ["-c", list], ["TZ": "UTC"]).split(separator: "\n")
    }

    private func makeContext() throws {
        for (name, text) in [
            ("dir/a", "a"), ("dir/sub/b", "b"), ("x1", "1"), ("x2", "2"), (".hidden", "h"), ("sp ace", "s"),
            ("hard/one", "hard"), ("links/real", "real"), ("script.sh", "#!/bin/sh\n"),
        ] {
            try box.write(name, text)
        }
        let script = """
            cd '\(box.context)'
            mkdir empty; chmod 711 empty; chmod 755 script.sh; chmod 600 x2
            ln hard/one hard/two; ln -s real links/link; ln -s /none links/dangling; ln -s dir/a filelink
            setfattr -n user.note -v text x1 || true
            find . -exec touch -h -d '2001-02-03 04:05:06Z' {} +
            tar --numeric-owner --owner=3 --group=4 -czf t.tgz dir hard links
            touch -d '2001-02-03 04:05:06Z' t.tgz
            """
        try box.run("/bin/sh", ["-c", script])
    }

    @Test(arguments: PeerDockerfiles.all.indices) func `are the same`(number: Int) throws {
        try makeContext()
        try compare(PeerDockerfiles.all[number])
    }

    @Test func `leave out the same files of the context`() throws {
        try makeContext()
        for name in [
            "a.log", "keep.log", "dir/b.log", "skip/x", "dir/skip/y", "rooted", "dir/rooted", "t1.tmp",
        ] {
            try box.write(name, name)
        }
        try box.write(
            ".dockerignore",
            "# a comment\n**/*.log\n!keep.log\n\nskip\n/rooted\n  t?.tm[p]  \ndir/s*b\n"
        )
        try compare("FROM localhost/base:1\nCOPY . /all/\nCOPY dir /dir/\n")
    }

    private func compare(_ dockerfile: String) throws {
        let own = "mine:1"
        let options = ["--build-arg", "GIVEN=given"]
        try box.image(dockerfile, options + ["-t", own])
        let archive = box.base.appending("theirs").string
        try buildah(
            "build",
            "--quiet",
            "--layers=false",
            "--format",
            "docker",
            "--build-arg",
            "GIVEN=given",
            "-t",
            "theirs:1",
            box.context.string
        )
        try buildah("push", "--quiet", "localhost/theirs:1", "docker-archive:\(archive):theirs:1")
        try box.mica("load", "-q", "-i", archive)
        // What it has mounted on during RUN stays in its images.
        let stubs = ["dev", "etc/hostname", "etc/hosts", "etc/resolv.conf", "proc", "run", "sys"]
        let expected = try tree("theirs:1").filter { !stubs.contains(String($0.prefix { $0 != " " })) }
        let theirTimes = try times()
        let ours = try tree(own)
        #expect(ours.filter { !expected.contains($0) } == [], "mica alone has these")
        #expect(expected.filter { !ours.contains($0) } == [], "buildah alone has these")
        let ourTimes = try times()
        #expect(ourTimes == theirTimes)
        let (mine, theirs) = (try box.config(of: own), try box.config(of: "theirs:1"))
        for name in [
            "User", "Env", "Entrypoint", "Cmd", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal",
            "Healthcheck",
            "Labels", "OnBuild", "Shell",
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

import Foundation
import Linux
import SystemPackage
import Testing

import Glibc
import ContainerFixtures

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `COPY and ADD` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    @Test func `put files where docker puts them`() throws {
        try box.write("dir/a", "a")
        try box.write("dir/sub/b", "b")
        try box.write("x1", "1")
        try box.write("x2", "2")
        symlink("dir", box.context.appending("link").string)
        let id = try box.image(
            """
            FROM base:1
            RUN mkdir -p /real /there/dir && ln -s /real /alias && chmod 711 /there
            COPY dir /contents
            COPY dir dir/a /into/
            COPY link /followed
            COPY x* /wild/
            COPY x1 /alias/
            COPY x1 /there
            COPY x2 /renamed
            COPY --parents dir/sub/b dir/./a /parents/
            COPY --exclude=sub --exclude=a dir /without/
            COPY --chown=ann --chmod=0640 x1 /owned/
            COPY --link x1 /linked/
            """
        )
        let list =
            "for f in $(find /contents /into /followed /wild /real /there /renamed /parents /without /owned"
            + " /linked); do echo $f; done | sort"
        let expected = [
            "/contents", "/contents/a", "/contents/sub", "/contents/sub/b", "/followed", "/followed/a",
            "/followed/sub", "/followed/sub/b", "/into", "/into/a", "/into/sub", "/into/sub/b", "/linked",
            "/linked/x1", "/owned", "/owned/x1", "/parents", "/parents/a", "/parents/dir", "/parents/dir/sub",
            "/parents/dir/sub/b", "/real", "/real/x1", "/renamed", "/there", "/there/dir", "/there/x1",
            "/wild",
            "/wild/x1", "/wild/x2", "/without",
        ]
        #expect(try box.shell(id, list).split(separator: "\n").map(String.init) == expected)
        #expect(
            try box.shell(id, "stat -c '%u:%g %a' /owned/x1 /owned /there")
                == "1000:1001 640\n1000:1001 640\n0:0 711\n"
        )
        #expect(try box.shell(id, "readlink /alias") == "/real\n")
    }

    @Test func `are never led out of the context or the image by a link`() throws {
        try Data("host".utf8).write(to: URL(fileURLWithPath: box.root.outside.appending("secret").string))
        symlink("\(box.root.outside)", box.context.appending("out").string)
        symlink("../outside/secret", box.context.appending("up").string)
        for source in ["out/secret", "up", "out/*"] {
            let result = try box.build("FROM base:1\nCOPY \(source) /x\n")
            #expect(!result.error.contains("host"), "\(source)")
            if result.status == 0 {
                let id = result.output.trimmingCharacters(in: .whitespacesAndNewlines)
                #expect(try box.shell(id, "cat /x 2>/dev/null || echo none") == "none\n")
            }
        }
        try box.write("file", "text")
        let id = try box.image(
            """
            FROM base:1
            RUN ln -s \(box.root.outside) /away && ln -s ../../../../../\(box.root.outside) /up
            COPY file /away/file
            COPY file /up/
            """
        )
        #expect(try box.root.outside.names().map { String(decoding: $0, as: UTF8.self) } == ["secret"])
        #expect(try box.shell(id, "cat \(box.root.outside)/file") == "text")
    }

    @Test func `wait for no fifo, and leave out sockets and what is ignored`() throws {
        mkfifo(box.context.appending("fifo").string, 0o644)
        try box.write("keep.log", "k")
        try box.write("drop.log", "d")
        try box.write("deep/drop.log", "d")
        try box.write("deep/file", "f")
        try box.write(".dockerignore", "**/*.log\n!keep.log\n")
        let id = try box.image("FROM base:1\nCOPY . /all/\n")
        let found = try box.shell(id, "find /all | sort").split(separator: "\n").map(String.init)
        #expect(
            found == [
                "/all", "/all/.dockerignore", "/all/Dockerfile", "/all/deep", "/all/deep/file", "/all/fifo",
                "/all/keep.log",
            ]
        )
        #expect(try box.shell(id, "test -p /all/fifo && echo yes") == "yes\n")
    }

    @Test func `unpack archives, and none of them outside of their directory`() throws {
        try box.write("pack/one", "1")
        try box.run(
            "/bin/tar",
            [
                "-C", box.context.appending("pack").string, "-czf", box.context.appending("t.tgz").string,
                "one",
            ]
        )
        try box.run(
            "/bin/tar",
            [
                "-C", box.context.appending("pack").string, "-P", "--transform=s,^,../../up/,", "-cf",
                box.context.appending("up.tar").string, "one",
            ]
        )
        let id = try box.image(
            """
            FROM base:1
            ADD t.tgz /unpacked/
            ADD --unpack=false t.tgz /packed/
            COPY t.tgz /copied/
            ADD up.tar /d/e/
            """
        )
        #expect(
            try box.shell(id, "cat /unpacked/one /d/e/up/one; ls /packed /copied")
                == "11/copied:\nt.tgz\n\n/packed:\nt.tgz\n"
        )
    }

    @Test func `unpack what is compressed with xz or bzip2, and say where that is damaged`() throws {
        try box.write("pack/one", "1")
        // More than a pipe or a buffer holds.
        var random = SystemRandomNumberGenerator()
        let large = (0..<60_000).map { _ in String(random.next(), radix: 36) }.joined()
        try box.write("pack/large", large)
        let digest = try box.run("/usr/bin/sha256sum", [box.context.appending("pack/large").string]).prefix(
            64
        )
        for (letter, name) in [("J", "t.tar.xz"), ("j", "t.tbz2")] {
            let tar = box.context.appending(name).string
            try box.run(
                "/bin/tar",
                ["-C", box.context.appending("pack").string, "-c\(letter)f", tar, "one", "large"]
            )
            let id = try box.image(
                "FROM base:1\nADD \(name) /unpacked/\nADD --unpack=false \(name) /packed/\n"
            )
            #expect(
                try box.shell(id, "cat /unpacked/one; sha256sum < /unpacked/large; ls /packed")
                    == "1\(digest)  -\n\(name)\n"
            )
            let bytes = try Data(contentsOf: URL(fileURLWithPath: tar))
            // Cut short, with other bytes in the middle, and nothing behind the mark.
            var damaged = bytes
            for place in bytes.count / 2..<bytes.count / 2 + 64 { damaged[place] ^= 0x55 }
            for (number, bad) in [bytes.dropLast(bytes.count / 3), damaged, bytes.prefix(10)].enumerated() {
                try bad.write(to: URL(fileURLWithPath: tar))
                let result = try box.build("FROM base:1\nCOPY pack/one /\nADD \(name) /unpacked/\n")
                #expect(result.status == 1, "\(name) \(number)")
                #expect(result.error.contains("Dockerfile:3: "), "\(result.error)")
                #expect(result.error.contains("data is damaged"), "\(result.error)")
            }
            // What is no archive is copied as it is.
            try box.run(
                "/bin/sh",
                ["-c", "echo text | \(letter == "J" ? "xz" : "bzip2") > '\(box.context)/text'"]
            )
            #expect(try box.shell(try box.image("FROM base:1\nADD text /\n"), "wc -c < /text") != "5\n")
        }
        #expect(try box.isClean)
    }

    @Test func `of the kind --link are kept over other layers, and read nothing of them`() throws {
        try box.write("file", "text")
        func dockerfile(_ base: String, _ options: String = "") -> String {
            "FROM base:1\nRUN \(base)\nCOPY --link \(options) file /dir/in/\n"
        }
        let first = try box.build(
            dockerfile("mkdir -p /dir && chmod 700 /dir && echo 1 > /dir/own"),
            ["--progress", "plain", "-t", "first"]
        )
        #expect(first.status == 0 && !first.error.contains("CACHED"), "\(first.error)")
        #expect(try box.shell("first", "cat /dir/in/file /dir/own") == "text1\n")
        // A link of the layers below leads nowhere: a directory takes its place.
        let second = try box.build(
            dockerfile("mkdir /away && ln -s /away /dir"),
            ["--progress", "plain", "-t", "second"]
        )
        #expect(second.status == 0, "\(second.error)")
        let steps = second.error.components(separatedBy: "\n\n")
        #expect(steps.contains { $0.contains("COPY --link") && $0.contains("CACHED") }, "\(second.error)")
        #expect(
            try box.shell("second", "cat /dir/in/file; ls /away; test -L /dir || echo none") == "textnone\n"
        )
        // Whose a file is that is a user's by name is told by the layers, and the step is another one.
        for (uid, name) in [(7001, "third"), (7002, "fourth")] {
            let other = try box.build(
                dockerfile("echo eve:x:\(uid):\(uid)::/:/bin/sh >> /etc/passwd", "--chown=eve"),
                ["-t", name]
            )
            #expect(other.status == 0, "\(other.error)")
            #expect(try box.shell(name, "stat -c %u /dir/in/file") == "\(uid)\n")
        }
    }

    @Test func `unpack archives as if their directory were the root, and replace directories`() throws {
        let pack = box.context.appending("pack").string
        try box.run(
            "/bin/sh",
            [
                "-c",
                """
                mkdir -p \(pack)/a/etc \(pack)/b && cd \(pack) && echo 1 > a/etc/one && echo 2 > b/gone
                ln -s .. up && ln -s /etc absolute
                tar --transform 's,^a,up,' -cf ../up.tar up a/etc/one
                tar --transform 's,^a/etc,absolute,' -cf ../absolute.tar absolute a/etc/one
                tar --transform 's,^b/gone,full,' -cf ../file.tar b/gone
                ln -s b full && tar -cf ../link.tar full
                """,
            ]
        )
        let id = try box.image(
            """
            FROM base:1
            RUN mkdir -p /full/deep /other/full/deep && echo x > /full/deep/x
            ADD up.tar /d/
            ADD absolute.tar /e/
            ADD file.tar /
            ADD link.tar /other/
            """
        )
        let list = "cat /d/etc/one /e/etc/one /full; readlink /other/full; ls /etc | grep -c one"
        #expect(
            try box.shell(id, list + "; ls -d /d/etc /e/etc; test -e /full/deep || echo gone")
                == "1\n1\n2\nb\n0\n/d/etc\n/e/etc\ngone\n"
        )
    }

    @Test func `write here-documents`() throws {
        let id = try box.image(
            """
            FROM base:1
            ENV NAME=world
            COPY <<EOF <<"RAW" /docs/
            hello $NAME
            EOF
            hello $NAME
            RAW
            RUN <<EOF
            cat /docs/EOF > /both
            cat /docs/RAW >> /both
            EOF
            """
        )
        #expect(try box.shell(id, "cat /both") == "hello world\nhello $NAME\n")
    }
}

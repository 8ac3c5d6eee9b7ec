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

import Runner
import Layers
import Snapshots
import ContainerFixtures
import Containers
import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `What is copied into and out of a container` {
    let box: TestStore
    let mica: MicaCommand
    /// Of the host.
    var here: String { box.root.outside.string }

    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    typealias Result = (status: Int32, output: String, error: String)

    /// In `here`, with mica as $MICA.
    @discardableResult
    private func shell(_ script: String) throws -> Result {
        let process = mica.process(["-c", "cd '\(here)' || exit; \(script)"])
        process.environment?["MICA"] = process.executableURL?.path
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        let (output, error) = (Foundation.Pipe(), Foundation.Pipe())
        process.standardOutput = output
        process.standardError = error
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let words = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: words, as: UTF8.self)
        )
    }

    enum State: CaseIterable { case created, running, paused, ended }

    /// A container named `it`.
    private func make(_ state: State) throws {
        switch state {
        case .created: try #require(mica("create", "--name", "it", "box", "sleep", "1000").status == 0)
        case .ended: try #require(mica("run", "--name", "it", "box", "true").status == 0)
        case .running, .paused:
            try #require(mica("run", "-d", "--name", "it", "box", "sleep", "1000").status == 0)
            if state == .paused { try #require(mica("pause", "it").status == 0) }
        }
    }

    @Test(arguments: State.allCases) func `is the same again`(_ state: State) throws {
        try make(state)
        let result = try shell(
            """
            mkdir -p tree/deep/er; echo text > tree/file; printf '' > tree/deep/empty; ln -s ../file tree/deep/link
            ln tree/file tree/deep/other; mkfifo tree/fifo; chmod 4751 tree/file; chmod 1700 tree/deep
            head -c 300000 /dev/urandom > tree/deep/er/large; chown 12:34 tree/deep/er/large
            setfattr -n user.some -v thing tree/file; touch -d 2001-02-03T04:05:06.789Z tree/file tree/deep tree/deep/er/large
            touch -h -d 2001-02-03 tree/deep/link
            list() { (cd "$1" && find . -printf '%P %y %m %U %G %n %l %TY%Tm%Td%TT\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum); }
            $MICA cp -a tree it:/ || exit; $MICA cp -a it:/tree back || exit
            diff <(list tree) <(list back) && getfattr -n user.some --only-values back/file
            $MICA cp tree/deep/er/large it:/tmp/ && $MICA cp it:/tmp/large - | tar -tvf - | awk '{ print $2, $3, $NF }'
            """
        )
        #expect(result == (0, "thing0/0 300000 large\n", ""))
        let phase = try box.containers.status(of: box.containers.container(named: "it")).phase
        #expect(phase == [.created: .created, .ended: .exited, .running: .running, .paused: .paused][state])
        // What was copied in is seen by what runs then.
        if state == .created || state == .ended {
            try #expect(mica("run", "--rm", "box", "test", "-e", "/tree").status == 1)
            try #expect(mica("start", "it").status == 0)
        }
        if state == .paused { try #expect(mica("unpause", "it").status == 0) }
        if state != .ended { try #expect(mica("exec", "it", "cat", "/tree/file").output == "text\n") }
        try #expect(mica("rm", "-f", "it").status == 0)
        try #expect(box.isClean())
    }

    @Test func `has the name, and the place, that docker gives it`() throws {
        try make(.running)
        func inside(_ path: String) throws -> String { try mica("exec", "it", "ls", path).output }
        try shell("mkdir -p d/e; echo 1 > f; echo 2 > d/g; ln -s f l; $MICA exec it /bin/busybox mkdir /in")
        try #expect(shell("$MICA cp f it:/in/new && $MICA cp f it:/in && $MICA cp f it:in/").status == 0)
        try #expect(inside("/in") == "f\nnew\n")
        try #expect(
            shell("$MICA cp d it:/in && $MICA cp d it:/in/other && $MICA cp d/. it:/in/new2/").status == 0
        )
        try #expect(inside("/in/d") == "e\ng\n")
        try #expect(inside("/in/other") == "e\ng\n")
        try #expect(inside("/in/new2") == "e\ng\n")
        try #expect(shell("$MICA cp d/. it:/in").status == 0)
        try #expect(inside("/in") == "d\ne\nf\ng\nnew\nnew2\nother\n")
        // A link is a link, unless it is to be followed, and is what it leads to as a target.
        try #expect(
            shell("$MICA cp l it:/in/l && $MICA cp -L l it:/in/followed && $MICA cp d/g it:/in/l").status == 0
        )
        try #expect(mica("exec", "it", "readlink", "/in/l").output == "f\n")
        try #expect(mica("exec", "it", "cat", "/in/f", "/in/followed").output == "2\n1\n")
        for refused in [
            "d it:/in/f", "f it:/in/nothing/", "f it:/nowhere/f", "nothing it:/in", "it:/nothing .",
            "f it:/in/d/e/x/",
            "it:/in/f/ .", "f d", "it:/in it:/out", "f nosuch:/x", "f it:", "it:/in/d f",
        ] {
            let result = try shell("$MICA cp \(refused)")
            #expect(result.status != 0 && result.error.hasPrefix("mica: "), "\(refused)")
        }
        try shell("echo 3 > a:b; $MICA cp ./a:b it:/in/g")
        try #expect(mica("exec", "it", "cat", "/in/g").output == "3\n")
        try #expect(mica("rm", "-f", "it").status == 0)
    }

    @Test(arguments: [State.running, .ended]) func `is in the container, wherever its links seem to lead`(
        _ state: State
    ) throws {
        try shell("mkdir out; echo secret > secret; echo mine > mine")
        let links = [
            "escape": here, "up": "../../../../../../../..\(here)", "file": "\(here)/secret", "loop": "loop",
        ]
        for (name, target) in links { symlink(target, box.root.path.appending(name).string) }
        try make(state)
        for refused in [
            "it:/escape/secret out", "it:/up/secret out", "-L it:/file out", "mine it:/escape/x",
            "mine it:/loop",
        ] {
            let result = try shell("$MICA cp \(refused)")
            #expect(result.status == 1, "\(refused)")
        }
        // The directory of that name in the container.
        try #expect(
            shell("mkdir -p 'made\(here)'; $MICA cp made/. it:/ && $MICA cp mine it:/up/x").status == 0
        )
        try #expect(shell("$MICA cp it:/escape/x - | tar -xO; ls out; [ ! -e x ]") == (0, "mine\n", ""))
        // As a link it can be had.
        try #expect(shell("$MICA cp it:/file out && readlink out/file").output == "\(here)/secret\n")
        try #expect(mica("rm", "-f", "it").status == 0)
    }

    @Test func `comes from a tar to where that says, or nowhere`() throws {
        try make(.running)
        try shell(
            "mkdir out; echo text > f; gzip -k f; tar -cf good.tar f f.gz; gzip -k good.tar; ln -s out link"
        )
        try #expect(shell("$MICA cp - it:/tmp < good.tar && $MICA cp - it:/etc < good.tar.gz").status == 0)
        try #expect(mica("exec", "it", "cat", "/tmp/f", "/etc/f").output == "text\ntext\n")
        try #expect(shell("$MICA cp - it:/nowhere < good.tar").status == 1)
        try #expect(shell("$MICA cp - it:/etc/passwd < good.tar").status == 1)
        try shell(
            """
            python3 - <<'END'
            import tarfile, io
            def tar(name, *entries):
                with tarfile.open(name, "w") as out:
                    for path, kind, link in entries:
                        entry = tarfile.TarInfo(path); entry.type = kind; entry.linkname = link
                        entry.size = 4 if kind == tarfile.REGTYPE else 0
                        out.addfile(entry, io.BytesIO(b"evil"))
            tar("up.tar", ("../../x", tarfile.REGTYPE, ""))
            tar("abs.tar", ("\(here)/out/x", tarfile.REGTYPE, ""))
            tar("link.tar", ("l", tarfile.SYMTYPE, "\(here)/out"), ("l/x", tarfile.REGTYPE, ""))
            tar("hard.tar", ("h", tarfile.LNKTYPE, "../../..\(here)/f"))
            END
            """
        )
        try #expect(shell("$MICA cp - it:/tmp < up.tar").error.contains("leads out"))
        try #expect(shell("$MICA cp - it:/tmp < abs.tar").status == 0)
        try #expect(shell("$MICA cp - it:/tmp < link.tar").status == 1)
        try #expect(shell("$MICA cp - it:/tmp < hard.tar").status == 1)
        try #expect(mica("exec", "it", "cat", "/tmp\(here)/out/x").output == "evil")
        try #expect(shell("ls out; cat f") == (0, "text\n", ""))
        // On the host no link is followed at all below the target.
        try shell(
            "$MICA exec it /bin/busybox mkdir -p /d/link; $MICA exec it touch /d/link/x; mkdir d; ln -s ../out d/link"
        )
        try #expect(shell("$MICA cp it:/d . ; ls out").output == "")
        try #expect(mica("rm", "-f", "it").status == 0)
    }

    /// What a container's root has made would be the host's root's.
    @Test func `gives no rights to whoever is on the host`() throws {
        try make(.running)
        try shell(
            """
            $MICA exec it /bin/busybox mkdir /d; $MICA exec it /bin/busybox cp /bin/busybox /d/shell
            $MICA exec it /bin/busybox chmod 6777 /d/shell; $MICA exec it mknod /dev/null2 c 1 3; $MICA exec it mknod /n c 1 3
            """
        )
        try #expect(shell("$MICA cp it:/d . && stat -c %a d/shell") == (0, "777\n", ""))
        try #expect(shell("$MICA cp -a it:/d kept && stat -c %a kept/shell").output == "6777\n")
        let device = try shell("$MICA cp it:/n . || ls n")
        #expect(device.status != 0 && device.error.contains("is a device"))
        try #expect(shell("$MICA cp it:/n - | tar -tvf - | cut -c1").output == "c\n")
        try #expect(mica("rm", "-f", "it").status == 0)
    }

    @Test func `makes nothing of a container that is to be started yet`() throws {
        try #require(mica("create", "--rm", "--name", "it", "box", "cat", "/tmp/new").status == 0)
        try shell("echo text > new; $MICA cp new it:/tmp && $MICA cp it:/tmp/new back")
        // What cleans up behind the dead finds none.
        try #expect(mica("ps", "-a").output.contains("Created"))
        try #expect(mica("start", "-a", "it") == (0, "text\n", ""))
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `is nothing where the root is read-only`() throws {
        try #require(mica("run", "--read-only", "--name", "it", "box", "true").status == 0)
        let result = try mica("cp", "/etc/passwd", "it:/")
        #expect(result.status == 1 && result.error.contains("read-only"))
        try #expect(mica("cp", "it:/etc/passwd", here).status == 0)
    }

    @Test(arguments: [State.created, .running]) func `as a whole is the root, without what is mounted in it`(
        _ state: State
    ) throws {
        try shell("mkdir vol; echo it > vol/kept-out")
        let verb = state == .running ? ["run", "-d"] : ["create"]
        try #require(
            mica.run(verb + ["--name", "it", "-v", "\(here)/vol:/vol", "box", "sleep", "1000"]).status == 0
        )
        try #expect(shell("$MICA cp -q vol/kept-out it:/tmp/new").status == 0)
        try #expect(
            shell("$MICA export it > one.tar && $MICA export -o two.tar it && cmp one.tar two.tar").status
                == 0
        )
        let list = try shell("tar -tf one.tar").output.split(separator: "\n").map(String.init)
        #expect(list.contains("bin/busybox") && list.contains("etc/passwd") && list.contains("tmp/new"))
        #expect(!list.contains { $0.hasPrefix("proc/") && $0 != "proc/" || $0.contains("kept-out") })
        if state == .running {
            #expect(list.contains("proc/") && list.contains("vol/") && list.contains("etc/hosts"))
        }
        // What comes of it is an image.
        try #expect(
            shell("$MICA import -q one.tar made:1").status == 0
        )
        try #expect(mica("rm", "-f", "it").status == 0)
        try #expect(box.isClean())
    }
}

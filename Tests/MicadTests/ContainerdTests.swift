import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .serialized,
    .enabled(if: ContainerdFixture.isBuilt, "set MICA_BINARIES to where micad is: make micad"),
    .enabled(if: ContainerdFixture.isPossible, "needs root, containerd, runc and busybox-static")
)
struct `containerd with micad` {
    private let box: ContainerdFixture

    init() throws { box = try ContainerdFixture() }

    private static let image = "docker.io/library/small:1"

    private func importImage() throws {
        let archive = try box.archive("small", file: "hello")
        try box.ctr("image", "import", "--snapshotter", "mica", archive)
    }

    @Test func `imports an image, runs a container that writes, and leaves nothing of it`() throws {
        try importImage()
        let output = try box.ctr(
            "run",
            "--rm",
            "--snapshotter",
            "mica",
            Self.image,
            "c",
            "/bin/sh",
            "-c",
            "cat /etc/file; echo new > /new; cat /new; rm /etc/file; ls /etc"
        )
        #expect(output == "hello\nnew\n")
        try box.wait("the container's mount to go") { box.micaMounts.isEmpty }
        // In the image nothing has changed.
        let again = try box.ctr(
            "run",
            "--rm",
            "--snapshotter",
            "mica",
            Self.image,
            "d",
            "/bin/sh",
            "-c",
            "ls / /etc"
        )
        #expect(again.contains("file") && !again.contains("new"))
        try box.ctr("image", "rm", "--sync", Self.image)
        try box.wait("the image's snapshots to go") {
            try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n").count == 1
        }
        #expect(try box.mica("snapshot", "ls", "-q") == "")
        try box.wait("the image's layers to go") {
            if try FilePath("\(box.store)/layers").names().isEmpty { return true }
            // After each removal containerd collects, and has micad clean up.
            _ = try? box.ctr("snapshots", "--snapshotter", "mica", "prepare", "x")
            _ = try? box.ctr("snapshots", "--snapshotter", "mica", "rm", "x")
            return false
        }
        #expect(try box.mica("fsck", "--deep").contains("in order"))
    }

    @Test func `has containers that go on while micad is killed and comes back`() throws {
        try importImage()
        try box.ctr(
            "run",
            "-d",
            "--snapshotter",
            "mica",
            Self.image,
            "c",
            "/bin/sh",
            "-c",
            "echo kept > /f; sleep 1000"
        )
        try box.endMicad(SIGKILL)
        #expect(
            try box.ctr("tasks", "exec", "--exec-id", "a", "c", "/bin/sh", "-c", "cat /etc/file; echo x > /g")
                == "hello\n"
        )
        try box.startMicad()
        #expect(try box.ctr("tasks", "exec", "--exec-id", "b", "c", "/bin/cat", "/g") == "x\n")
        // It is the same mount, and it is not made twice.
        let shown = try box.ctr("snapshots", "--snapshotter", "mica", "mounts", "/nowhere", "c")
        #expect(box.micaMounts.contains { shown.contains($0) })
        let daemons = try box.mica("mounts", "-q").split(separator: "\n")
        #expect(daemons.count == 1)
        try box.ctr("tasks", "rm", "-f", "c")
        try box.ctr("containers", "rm", "c")
        try box.wait("the container's mount to go") { box.micaMounts.isEmpty }
    }

    @Test func `and mica take nothing from one another`() throws {
        try importImage()
        let other = try box.archive("other", file: "of mica")
        try box.mica("load", "-q", "-i", other)
        #expect(try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n").count == 2)
        try box.mica("gc")
        #expect(
            try box.ctr("run", "--rm", "--snapshotter", "mica", Self.image, "c", "/bin/cat", "/etc/file")
                == "hello\n"
        )
        // containerd collects what it does not know in what it is shown.
        try box.ctr("image", "rm", "--sync", Self.image)
        try box.wait("the image's snapshots to go") {
            try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n").count == 1
        }
        let directory = try box.workspace.directory("seen")
        try box.mica("mount", "other:1", directory)
        #expect(try String(contentsOfFile: "\(directory)/etc/file", encoding: .utf8) == "of mica\n")
        try box.mica("umount", directory)
        try box.mica("gc")
        #expect(try box.mica("fsck", "--deep").contains("in order"))
    }

    @Test func `prepares, mounts and commits for who does it by hand`() throws {
        try importImage()
        let chain = try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n")[1].split(
            separator: " "
        )[0]
        let (first, second) = (try box.workspace.directory("first"), try box.workspace.directory("second"))
        let mount = try box.prepare("work", over: String(chain), at: first)
        try box.shell(
            "\(mount) && echo changed > \(first)/etc/file && rm -r \(first)/run && umount \(first)"
        )
        try box.ctr("snapshots", "--snapshotter", "mica", "commit", "done", "work")
        let seen = try look(at: "done", in: second)
        #expect(seen.hasPrefix("changed\n") && !seen.contains("run") && !seen.contains("written"))
        #expect(try box.ctr("snapshots", "--snapshotter", "mica", "usage", "done").contains("done"))
        try box.ctr("snapshots", "--snapshotter", "mica", "prepare", "child", "done")
        try box.ctr("snapshots", "--snapshotter", "mica", "commit", "above", "child")
        #expect(throws: Failure.self) { try box.ctr("snapshots", "--snapshotter", "mica", "rm", "done") }
        // Not "done" itself: of a view that its collector has taken, containerd keeps that there is a child.
        try box.ctr("snapshots", "--snapshotter", "mica", "rm", "above")
    }

    /// What a view of a snapshot has. ctr gives a view nothing that keeps containerd's collector away, which may come at
    /// any moment: then there is another one.
    private func look(at snapshot: String, in directory: String, _ command: String? = nil) throws -> String {
        for number in 0..<50 {
            let view = try box.ctr(
                "snapshots",
                "--snapshotter",
                "mica",
                "view",
                "--target",
                directory,
                "view-\(number)",
                snapshot
            )
            .trimmingCharacters(in: .newlines)
            let command = command ?? "cat \(directory)/etc/file && ls \(directory)"
            let script =
                "\(view) || exit 1; \(command); touch \(directory)/x && echo written; umount \(directory)"
            if let seen = try? box.shell(script) { return seen }
        }
        throw Failure("no view stayed for as long as it takes to look at it:\n\(box.log)")
    }

    private static let layer = "application/vnd.oci.image.layer.v1.tar"

    /// A layer with one file, in containerd's content store: the digests of the blob and of its tar, and the blob's size.
    private func ingest(_ file: String) throws -> (blob: String, tar: String, size: String) {
        let directory = try box.workspace.directory("layer of \(file)")
        let words = try box.shell(
            """
            cd '\(directory)' && echo '\(file)' > '\(file)' && tar -cf ../t '\(file)' && gzip -cn ../t > ../t.gz
            for name in t.gz t; do sha256sum ../$name | cut -d ' ' -f 1; done; stat -c %s ../t.gz
            """
        )
        .split(separator: "\n").map(String.init)
        try #require(words.count == 3)
        // containerd's collector may come before the label that keeps it away.
        for _ in 0..<50 {
            let script = "ctr -a \(box.address) content ingest in-\(file) < '\(directory)/../t.gz'"
            try box.shell(script)
            let label = "containerd.io/gc.root=test"
            if (try? box.ctr("content", "label", "sha256:\(words[0])", label)) != nil { break }
        }
        return ("sha256:\(words[0])", "sha256:\(words[1])", words[2])
    }

    @Test func `has layers from its content store applied, once`() throws {
        let (low, high) = (try ingest("low"), try ingest("high"))
        let gzip = "\(Self.layer)+gzip"
        #expect(try box.client("apply", "one", "", low.blob, low.size, gzip) == low.tar)
        #expect(try box.client("apply", "two", "one", high.blob, high.size, gzip) == high.tar)
        let directory = try box.workspace.directory("seen")
        let seen = try look(at: "two", in: directory, "cat \(directory)/low \(directory)/high")
        #expect(seen.hasPrefix("low\nhigh\n"))
        // mica has them by the name that images have for them, and what it brought need not be unpacked.
        #expect(try box.client("prepare", "again", "", low.tar) == "alreadyExists")
        #expect(try box.client("prepare", "other", "", high.blob) == "ok")
        #expect(throws: Failure.self) { try box.client("apply", "three", "", low.blob, "1", gzip) }
        #expect(throws: Failure.self) { try box.client("apply", "four", "", low.tar, low.size, gzip) }
    }

    @Test func `is given a snapshot's changes as a layer in its content store`() throws {
        let low = try ingest("low")
        _ = try box.client("apply", "one", "", low.blob, low.size, "\(Self.layer)+gzip")
        let directory = try box.workspace.directory("work")
        let mount = try box.prepare("work", over: "one", at: directory)
        try box.shell(
            "\(mount) && echo new > \(directory)/new && rm \(directory)/low"
        )
        defer { _ = try? box.shell("umount \(directory)") }
        let blob = try box.client("diff", "work", "one", "\(Self.layer)+gzip")
        let listed = try box.shell("ctr -a \(box.address) content get \(blob) | tar -tzf - | sort")
        #expect(listed == ".wh.low\nnew\n" || listed == "./\n.wh.low\nnew\n")
        let tar = try box.shell(
            "ctr -a \(box.address) content get \(blob) | gunzip | sha256sum | cut -d ' ' -f 1"
        )
        .trimmingCharacters(in: .newlines)
        #expect(try box.ctr("content", "ls").contains("containerd.io/uncompressed=sha256:\(tar)"))
    }

    @Test func `keeps a diff that nobody has named yet, for a while, when it collects`() throws {
        let low = try ingest("low")
        _ = try box.client("apply", "one", "", low.blob, low.size, "\(Self.layer)+gzip")
        let directory = try box.workspace.directory("work")
        let mount = try box.prepare("work", over: "one", at: directory)
        try box.shell("\(mount) && echo new > \(directory)/new")
        defer { _ = try? box.shell("umount \(directory)") }
        let blob = try box.client("diff", "work", "one", "\(Self.layer)+gzip", "unlabelled")
        // Which returns when containerd has collected.
        try box.ctr("leases", "create", "--id", "other")
        try box.ctr("leases", "delete", "--sync", "other")
        #expect(try box.shell("ctr -a \(box.address) content get \(blob) | tar -tzf -").contains("new\n"))
        let leases = try box.ctr("leases", "ls").split(separator: "\n").filter { $0.hasPrefix("mica-") }
        #expect(leases.count == 1 && leases.allSatisfy { $0.contains("containerd.io/gc.expire=") })
        // Afterwards it goes.
        let lease = try #require(leases.first?.split(separator: " ").first)
        try box.ctr("leases", "delete", "--sync", String(lease))
        #expect(throws: Failure.self) { try box.ctr("content", "get", blob) }
    }

    @Test func `answers who only asks while many requests wait for the store`() throws {
        let done = try box.directClient("crowd", "60", "\(box.store)/lock")
        #expect(done == "60")
    }

    @Test func `is told what it asked for, by mica status and in metrics`() throws {
        try importImage()
        try box.ctr("snapshots", "--snapshotter", "mica", "ls")
        let status = try box.mica("status")
        #expect(status.contains("by micad, process \(box.micad), at \(box.socket)"))
        #expect(status.contains("1 committed"))
        let text = try box.shell(
            """
            /usr/bin/python3 -c '
            import socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.connect("\(box.metrics)")
            s.sendall(b"GET /metrics HTTP/1.1\\r\\n\\r\\n")
            answer = b""
            while piece := s.recv(65536): answer += piece
            sys.stdout.write(answer.decode())
            '
            """
        )
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        for line in [
            "# TYPE micad_requests_total counter", "micad_requests_total{method=\"Prepare\",code=\"ok\"} 1.0",
            "micad_request_duration_seconds_count{method=\"Prepare\"} 1",
            "micad_snapshots{kind=\"committed\"} 1.0", "micad_mounts 0.0",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(text)")
        }
    }

    @Test func `is served by one micad, which ends in order, and whose socket is root's alone`() throws {
        let failure = try #require(throws: Failure.self) {
            try Tool.run(
                Tool.binaries.appendingPathComponent("micad"),
                ["--root", box.store, "--socket", "\(box.path)/run/other.sock", "--state", "\(box.path)/run"]
            )
        }
        #expect(failure.message.contains("served already, by process \(box.micad)"))
        let tried = try box.shell(
            """
            setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 -c '
            import socket
            try: socket.socket(socket.AF_UNIX).connect("\(box.socket)")
            except PermissionError: print("refused")
            '
            """
        )
        #expect(tried == "refused\n")
        #expect(try box.endMicad(SIGTERM) == 0)
        #expect(access(box.socket, F_OK) != 0)
        try box.startMicad()
        #expect(try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n").count == 1)
    }

    @Test func `answers on after what is no request of anybody's`() throws {
        try box.shell(
            """
            /usr/bin/python3 -c '
            import os, socket
            for bytes in [b"", b"GET / HTTP/1.1\\r\\n\\r\\n", os.urandom(1 << 20), b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + os.urandom(1 << 16)]:
                s = socket.socket(socket.AF_UNIX)
                s.connect("\(box.socket)")
                try: s.sendall(bytes)
                except OSError: pass
                s.close()
            '
            """
        )
        #expect(try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n").count == 1)
    }

    /// As gRPC in Go measures a connection, after each message that it gets: for 200 of them in half a minute NIO's HTTP/2
    /// ends the connection, with all requests on it. Some come in pieces, and what is no ping goes on as it is.
    @Test func `answers each of a client's pings, however many come, and keeps the connection`() throws {
        let answered = try box.shell(
            """
            /usr/bin/python3 -c '
            import socket, struct
            def frame(type, flags, body): return struct.pack(">I", len(body))[1:] + bytes([type, flags]) + bytes(4) + body
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(\(ContainerdFixture.patience))
            s.connect("\(box.socket)")
            s.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, b""))
            stream = s.makefile("rb")
            number = 0
            for burst in range(10):
                pings = [frame(6, 0, struct.pack(">Q", number + i)) for i in range(100)]
                if burst % 2: pings.insert(50, frame(8, 0, struct.pack(">I", 1)))
                sent = b"".join(pings)
                if burst == 3:
                    for byte in sent: s.sendall(bytes([byte]))
                else: s.sendall(sent)
                wanted = number + 100
                while number < wanted:
                    head = stream.read(9)
                    body = stream.read(head[0] << 16 | head[1] << 8 | head[2])
                    if head[3] == 7: raise SystemExit(f"ended after {number} pings: {body}")
                    if head[3] != 6: continue
                    assert head[4] == 1 and struct.unpack(">Q", body)[0] == number, (head, body)
                    number += 1
            print(number)
            '
            """
        )
        #expect(answered == "1000\n")
    }

    @Test func `keeps what was committed, once, when micad is killed at any moment`() throws {
        let base = try box.archive("small", file: "hello")
        try box.ctr("image", "import", "--snapshotter", "mica", base)
        let chain = try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n")[1].split(
            separator: " "
        )[0]
        // The load ends when the file is gone; what was answered is in `done`, and what was removed in `gone`.
        let (load, layer) = ("\(box.path)/load", try ingest("layer"))
        let script = """
            snapshots() { ctr -a \(box.address) snapshots --snapshotter mica "$@"; }
            n=0
            while [ -e \(load) ]; do
                n=$((n + 1))
                snapshots prepare k$n \(chain) && snapshots commit done$n k$n || continue
                echo done$n >> \(box.path)/done
                [ $((n % 3)) != 0 ] || ! snapshots rm done$n || echo done$n >> \(box.path)/gone
            done > /dev/null 2>&1
            """
        let program = Tool.binaries.appendingPathComponent("MicadClient").path
        let unpacking = """
            n=0
            while [ -e \(load) ]; do
                n=$((n + 1))
                timeout \(ContainerdFixture.patience) \(program) \(box.address) \(box.socket) apply layer$n "" \
                    \(layer.blob) \(layer.size) \(Self.layer)+gzip && echo layer$n >> \(box.path)/unpacked
            done > /dev/null 2>&1
            """
        try Data().write(to: URL(fileURLWithPath: load))
        let ended = DispatchSemaphore(value: 0)
        for script in [script, unpacking] {
            DispatchQueue.global().async {
                _ = try? Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-c", script])
                ended.signal()
            }
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<10 {
            usleep(UInt32.random(in: 0..<400_000, using: &generator))
            try box.endMicad(SIGKILL)
            try box.startMicad()
        }
        try FilePath(load).unlink()
        ended.wait()
        ended.wait()
        let listed = try box.ctr("snapshots", "--snapshotter", "mica", "ls").split(separator: "\n")
            .dropFirst()
            .map { $0.split(separator: " ")[0] }.map(String.init)
        #expect(Set(listed).count == listed.count)
        let gone = try answered("gone")
        #expect(Set(listed).isSuperset(of: try answered("done").subtracting(gone)))
        #expect(Set(listed).isDisjoint(with: gone))
        #expect(Set(listed).isSuperset(of: try answered("unpacked")))
        #expect(try box.mica("fsck", "--deep").contains("in order"))
    }

    /// The lines of a file that a load has written; none where it has written nothing.
    private func answered(_ name: String) throws -> Set<String> {
        let path = "\(box.path)/\(name)"
        guard access(path, F_OK) == 0 else { return [] }
        return try Set(String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init))
    }
}

import Foundation
import MountFixtures
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: ContainerdFixture.isBuilt, "set MICA_BINARIES to where micad is: make micad"),
    .enabled(if: geteuid() == 0, "needs root")
)
struct `A connection of micad's to containerd` {
    /// A containerd that is asked for a blob, and only sends pings: prints how many were answered.
    private static let script = #"""
        import os, socket, struct, subprocess, sys, time
        micad, client, path, patience = sys.argv[1:]
        def frame(type, flags, body): return struct.pack(">I", len(body))[1:] + bytes([type, flags]) + bytes(4) + body
        containerd = socket.socket(socket.AF_UNIX)
        containerd.bind(path + "/containerd")
        containerd.listen()
        containerd.settimeout(int(patience))
        socket_path = path + "/run/s"
        service = subprocess.Popen([micad, "--root", path + "/store", "--socket", socket_path,
            "--state", path + "/run", "--containerd", path + "/containerd", "--log-level", "error"])
        asker = None
        try:
            while not os.path.exists(socket_path): time.sleep(0.05)
            asker = subprocess.Popen([client, socket_path, socket_path, "apply", "one", "", "sha256:" + "0" * 64,
                "10", "application/vnd.oci.image.layer.v1.tar+gzip"], stderr=subprocess.DEVNULL)
            connection, _ = containerd.accept()
            connection.settimeout(int(patience))
            stream = connection.makefile("rb")
            assert stream.read(24).startswith(b"PRI * HTTP/2.0")
            connection.sendall(frame(4, 0, b""))
            number = 0
            while number < 1000:
                connection.sendall(b"".join(frame(6, 0, struct.pack(">Q", number + i)) for i in range(100)))
                wanted = number + 100
                while number < wanted:
                    head = stream.read(9)
                    body = stream.read(head[0] << 16 | head[1] << 8 | head[2])
                    if head[3] == 7: raise SystemExit(f"ended after {number} pings: {body}")
                    if head[3] != 6: continue
                    assert head[4] == 1 and struct.unpack(">Q", body)[0] == number, (head, body)
                    number += 1
            print(number)
        finally:
            for process in [asker, service]:
                if process: process.kill(); process.wait()
        """#

    @Test func `answers each ping, however many come`() throws {
        let workspace = try Workspace()
        let answered = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/python3"),
            [
                "-c", Self.script, Tool.binaries.appendingPathComponent("micad").path,
                Tool.binaries.appendingPathComponent("MicadClient").path, workspace.path,
                "\(ContainerdFixture.patience)",
            ]
        )
        #expect(answered == "1000\n")
    }
}

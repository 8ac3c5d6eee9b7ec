import Foundation
import MountFixtures
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: ContainerdFixture.isBuilt, "set MICA_BINARIES to where micad is: make micad"),
    .enabled(if: geteuid() == 0, "needs root")
)
struct `micad under systemd` {
    /// Prints what a service manager hears of it, first and last, and how it ends.
    private static let script = #"""
        import os, socket, subprocess, sys
        micad, path = sys.argv[1:]
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(path + "/notify")
        manager.settimeout(120)
        service = subprocess.Popen(
            [micad, "--root", path + "/store", "--socket", path + "/run/s", "--state", path + "/run"],
            env=dict(os.environ, NOTIFY_SOCKET=path + "/notify", WATCHDOG_USEC="1500000"))
        try:
            heard = []
            while heard.count("WATCHDOG=1") < 2: heard.append(manager.recv(100).decode())
            service.terminate()
            while heard[-1] != "STOPPING=1": heard.append(manager.recv(100).decode())
            print(heard[0], heard[-1], service.wait(120))
        finally:
            service.kill()
        """#

    @Test func `says when it is ready, that it is alive, and when it stops`() throws {
        let workspace = try Workspace()
        let micad = Tool.binaries.appendingPathComponent("micad").path
        let output = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/python3"),
            ["-c", Self.script, micad, workspace.path]
        )
        #expect(output == "READY=1 STOPPING=1 0\n")
    }
}

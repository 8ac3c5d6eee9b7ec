import Foundation
import Linux
import Scratch
import SystemPackage
import Testing

import Glibc

/// Anybody may have a mount namespace with a table of any length.
@Suite(.timeLimit(.minutes(40)), .enabled(if: getuid() == 0, "needs root"))
struct `Who holds a mount` {
    /// 72 MB of mountinfo: names of blanks take four bytes for each.
    private static let script = """
        import ctypes, os, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def mount(source, target, kind, flags):
            if libc.mount(source, target, kind, flags, None): sys.exit(os.strerror(ctypes.get_errno()))
        top = os.fsencode(sys.argv[1])
        mount(b"tmpfs", top, b"tmpfs", 0)
        deep = top
        while len(deep) < 3500:
            deep += b"/" + b" " * 200
            os.mkdir(deep)
        for i in range(2700): mount(deep, deep, None, 4096)
        os.chdir("/")
        print("up", flush=True)
        time.sleep(1000)
        """

    @Test func `is found behind a table of any length, and not looked for when there is no time`() throws {
        var template = Array("\(Scratch.prefix("holders"))XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = FilePath(platformString: template)
        defer { try? directory.removeTree() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = [
            "-m", "--propagation", "private", "python3", "-c", Self.script, directory.string,
        ]
        let output = Foundation.Pipe()
        process.standardOutput = output
        try process.run()
        defer {
            // The thread that starts it may have other signals blocked, and so has the process then.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try #require(output.fileHandleForReading.read(upToCount: 3) == Data("up\n".utf8))
        let pid = process.processIdentifier
        let device = MountHolder.name(of: try FilePath("/proc/\(pid)/root\(directory)").status().st_dev)
        let found = MountHolder.all(of: device, milliseconds: 300_000)
        #expect(found.map(\.pid) == [pid])
        #expect(found.first?.directory?.starts(with: directory) == true)
        #expect(MountHolder.all(of: device, milliseconds: 0).isEmpty)
        // Nothing is written by way of it, and that is no failure.
        try MountHolder.writeBack(device, milliseconds: 0)
    }
}

import ContainerFixtures
import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

/// A host whose /dev has another filesystem in it, and a link to where containers write. In a mount namespace of its own.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `A device of the host's` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    /// `..` after a link is not what it looks like.
    @Test(arguments: [("/dev/zero", "3\n"), ("/dev/below/zero", "0\n"), ("/dev/link/../zero", "0\n")])
    func `is one only by a path in /dev itself`(_ source: String, _ output: String) throws {
        let outside = box.root.outside
        let script = """
            mount -t tmpfs tmpfs /dev
            mkdir /dev/below \(outside)/d
            mount -t tmpfs tmpfs /dev/below
            ln -s \(outside)/d /dev/link
            for directory in /dev /dev/below \(outside); do
                mknod -m 666 $directory/null c 1 3
                mknod -m 666 $directory/zero c 1 5
            done
            exec "$@"
            """
        let arguments = [
            "run", "--rm", "-v", "\(source):/made", "box", "sh", "-c", "head -c 3 /made | wc -c",
        ]
        let process = mica.process([])
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["-m", "/bin/sh", "-euc", script, "sh", mica.program.path] + arguments
        let out = Foundation.Pipe()
        process.standardOutput = out
        try process.run()
        let text = out.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(String(decoding: text, as: UTF8.self) == output)
    }
}

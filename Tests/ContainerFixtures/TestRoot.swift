package import Foundation
import Linux
import Scratch
package import SystemPackage

import Glibc

/// A root filesystem with busybox in it, in a private directory that goes with the value.
package final class TestRoot: Sendable {
    package let base: FilePath
    package var path: FilePath { base.appending("rootfs") }
    package var outside: FilePath { base.appending("outside") }

    package static let isPossible = getuid() == 0 && FilePath("/bin/busybox").exists
    package static let canCompile = isPossible && FilePath("/usr/bin/gcc").exists

    /// Directories with what was built together with these tests: either they are the running program, or an argument
    /// of their runner's.
    package static let binaries =
        [
            URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        ] + CommandLine.arguments.map { URL(fileURLWithPath: $0).deletingLastPathComponent() }

    /// Containers that are started by the tests' own process need mica-enter, which is not beside it.
    private static let knowsEnter: Bool = {
        let candidates = binaries.map { $0.appendingPathComponent("mica-enter").path }
        guard let path = candidates.first(where: { access($0, X_OK) == 0 }) else { return false }
        return setenv("MICA_ENTER", path, 1) == 0
    }()

    /// Compiles `source`, C without libraries, to bin/`name`.
    package func compile(_ source: String, to name: String) throws {
        let file = base.appending("\(name).c")
        try Data(source.utf8).write(to: URL(fileURLWithPath: file.string))
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/gcc")
        compiler.arguments = [
            "-O1", "-w", "-static", "-o", path.appending("bin/\(name)").string, file.string,
        ]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw Errno.invalidArgument }
    }

    package init() throws {
        guard TestRoot.knowsEnter else { throw Errno.noSuchFileOrDirectory }
        var template = Array("\(Scratch.prefix("runner"))XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.last }
        base = FilePath(platformString: template)
        for directory in ["rootfs/bin", "rootfs/etc", "rootfs/tmp", "outside"] {
            try base.appending(directory).makeDirectories()
        }
        // By another process: one that other tests fork here meanwhile would hold the file open for writing,
        // and what is open for writing can't be executed.
        let copy = Process()
        copy.executableURL = URL(fileURLWithPath: "/bin/cp")
        copy.arguments = ["/bin/busybox", path.appending("bin/busybox").string]
        try copy.run()
        copy.waitUntilExit()
        guard copy.terminationStatus == 0 else { throw Errno.ioError }
        for name in [
            "sh", "cat", "ls", "id", "echo", "readlink", "sleep", "stat", "mount", "tty", "stty", "true",
            "hostname", "mknod", "touch", "test", "kill", "ps", "pwd", "env", "false", "grep", "head", "dd",
            "ip",
        ] {
            symlink("busybox", path.appending("bin/\(name)").string)
        }
        try write(
            "etc/passwd",
            Data("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/sh\n".utf8)
        )
        try write("etc/group", Data("root:x:0:\nann:x:1001:\nwheel:x:10:bob,ann\nplugdev:x:46:ann\n".utf8))
    }

    package func write(_ name: String, _ data: Data, mode: UInt32 = 0o644) throws {
        guard mode & 0o111 == 0 else { return try Script.write(data, to: path.appending(name)) }
        try data.write(to: URL(fileURLWithPath: path.appending(name).string))
        chmod(path.appending(name).string, mode)
    }

    deinit { try? base.removeTree() }
}

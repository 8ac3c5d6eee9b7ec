import ContainerFixtures
import Containers
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

/// What the commands say where a process lacks what it is used to.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: MicaCommand.isPossible, "needs root, busybox-static and the built mica")
)
struct `A command in hard times` {
    let box: TestStore
    let mica: MicaCommand
    init() throws {
        box = try TestStore()
        mica = try MicaCommand(box)
    }

    typealias Result = (status: Int32, output: String, error: String)

    /// `launcher`: a program and its arguments, to which the command's are added. `output`: nil: a pipe.
    private func run(_ launcher: [String], _ arguments: [String], output: String? = nil) throws -> Result {
        let process = mica.process(arguments)
        process.executableURL = URL(fileURLWithPath: launcher.first ?? mica.program.path)
        process.arguments = launcher.dropFirst() + (launcher.isEmpty ? [] : [mica.program.path]) + arguments
        let (out, error) = (Foundation.Pipe(), Foundation.Pipe())
        if let output {
            process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        } else {
            process.standardOutput = out
        }
        process.standardError = error
        try process.run()
        let text = output == nil ? out.fileHandleForReading.readDataToEndOfFile() : Data()
        let errors = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit, "\(arguments)")
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    private static let few = ["/usr/bin/prlimit", "--nofile=3:3"]

    @Test(arguments: [
        ["rmi", "box"], ["load", "-i", "/etc/passwd"], ["commit", "box", "x"], ["images"], ["gc"], ["ps"],
        ["tag", "box", "other"], ["snapshot", "ls"], ["fsck"], ["run", "box", "true"],
        ["mount", "box", "/"], ["save", "-o", "/nowhere/x", "box"],
    ]) func `with no descriptor left fails, says why, and prints no help`(arguments: [String]) throws {
        let result = try run(Self.few, arguments)
        #expect(result.status == (arguments[0] == "run" ? 125 : 1))
        #expect(result.error.hasPrefix("mica: "))
        #expect(!result.output.contains("USAGE"))
        #expect(try box.store.images().map(\.tags) == [["docker.io/library/box:latest"]])
    }

    @Test func `without /proc does what it can do, and refuses the rest`() throws {
        let launcher = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "umount -l /proc && exec \"$@\"", "sh"]
        let images = try run(launcher, ["images", "-q"])
        #expect(images.status == 0 && images.output.count == 13)
        try box.store.prepare("work", parent: nil)
        let commit = try run(launcher, ["commit", "work", "made"])
        #expect(commit.status == 1 && commit.error.contains("/proc"))
        #expect(try run(launcher, ["tag", "box", "other"]).status == 0)
        let removal = try run(launcher, ["rmi", "other"])
        #expect(removal.status == 0 && removal.output.contains("Untagged: other:latest"))
        #expect(try box.store.images().map(\.tags) == [["docker.io/library/box:latest"]])
    }

    @Test func `of somebody who may not make a container is refused before anything is made`() throws {
        // A store of the user's own, so that nothing else is in the way.
        chmod(box.root.base.string, 0o755)
        let directory = box.root.base.appending("users")
        try directory.makeDirectory()
        chown(directory.string, 1234, 1234)
        let launcher = [
            "/usr/bin/setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "/usr/bin/env",
            "MICA_ROOT=\(directory)/store",
        ]
        for options in [["run"], ["run", "-d"], ["run", "--rm"]] {
            let result = try run(launcher, options + ["box", "true"])
            #expect(result.status == 125)
            #expect(result.error.contains("CAP_SYS_ADMIN"))
        }
        #expect(MountTable.current().targets(below: box.root.base).isEmpty)
        let store = StoreLayout(root: directory.appending("store"))
        for made in [store.containers, store.snapshots, store.mounts, store.tmp] {
            #expect(try !made.exists || made.names().isEmpty)
        }
    }

    @Test func `beyond a limit on files' sizes is an error, and ends nobody`() throws {
        let tar = box.root.base.appending("root.tar").string
        let tarring = try run(["/bin/sh", "-c", "tar -C \(box.root.path) -cf \(tar) . # "], [])
        try #require(tarring.status == 0)
        let limited = ["/usr/bin/prlimit", "--fsize=262144"]
        let result = try run(limited, ["import", "-q", tar, "made"])
        #expect(result.status == 1)
        #expect(result.error.contains("File too large"))
        #expect(try box.store.images().count == 1)
        #expect(try box.layout.tmp.names().isEmpty && box.layout.layers.names().isEmpty)
        // Its log ends there; it does not.
        let log = ["/usr/bin/prlimit", "--fsize=2097152"]
        let command = ["run", "--name", "loud", "box", "dd", "if=/dev/zero", "bs=65536", "count=100"]
        let loud = try run(log, command)
        #expect(loud.status == 0)
        #expect(loud.output.utf8.count == 65536 * 100)
        guard
            case .exited(0, at: .some) = box.containers.status(
                of: try box.containers.container(named: "loud")
            )
        else { throw Failure("how it ended is not known") }
    }

    @Test func `whose output can't be written fails, though the container's did not`() throws {
        let result = try run([], ["run", "--name", "it", "box", "echo", "lost"], output: "/dev/full")
        #expect(result.status == 125)
        #expect(result.error.contains("No space left on device") && result.error.contains("status 0"))
        guard
            case .exited(0, at: .some) = box.containers.status(of: try box.containers.container(named: "it"))
        else { throw Failure("how it ended is not known") }
        for arguments in [["images"], ["ps", "-a"], ["logs", "it"], ["inspect", "it"]] {
            let result = try run([], arguments, output: "/dev/full")
            #expect(result.status == 1, "\(arguments)")
            #expect(result.error.contains("No space left on device"))
        }
        #expect(try run([], ["run", "-d", "box", "true"], output: "/dev/full").status == 125)
        #expect(
            try run([], ["run", "--rm", "box", "sh", "-c", "echo x; exit 3"], output: "/dev/full").status
                == 125
        )
        #expect(try run([], ["run", "--rm", "box", "true"], output: "/dev/full").status == 0)
    }

    /// The ends of a pipe that are set not to wait, as an event loop leaves them to its children.
    private func impatientPipe() throws -> (read: FileHandle, write: FileHandle) {
        let pipe = try Linux.Pipe()
        let (reader, writer) = (try pipe.read.duplicate().release(), try pipe.write.duplicate().release())
        for end in [reader, writer] { #expect(fcntl(end, F_SETFL, O_NONBLOCK) == 0) }
        return (
            FileHandle(fileDescriptor: reader, closeOnDealloc: true),
            FileHandle(fileDescriptor: writer, closeOnDealloc: true)
        )
    }

    @Test(arguments: [
        ["run", "--rm", "box", "dd", "if=/dev/zero", "bs=65536", "count=20"],
        ["logs", "loud"], ["exec", "up", "dd", "if=/dev/zero", "bs=65536", "count=20"],
        ["inspect"] + Array(repeating: "box", count: 3000), ["save", "box"],
    ]) func `whose output is not waited for by others loses nothing of it`(_ arguments: [String]) throws {
        _ = try run([], ["run", "-d", "--name", "up", "box", "sleep", "1000"])
        defer { _ = try? run([], ["rm", "-f", "up"]) }
        _ = try run([], ["run", "--name", "loud", "box", "dd", "if=/dev/zero", "bs=65536", "count=20"])
        let expected = try run([], arguments)
        let (reader, writer) = try impatientPipe()
        let process = mica.process(arguments)
        process.standardOutput = writer
        process.standardError = FileHandle.nullDevice
        try process.run()
        try writer.close()
        // It writes until there is no more room.
        var count: CInt = 0
        _ = try mica.wait {
            _ = ioctl(reader.fileDescriptor, UInt(FIONREAD), &count)
            return count >= 65536 || !process.isRunning
        }
        usleep(50_000)
        #expect(fcntl(reader.fileDescriptor, F_SETFL, 0) == 0)
        let output = reader.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(output.count == expected.output.utf8.count, "\(arguments.prefix(2))")
        if arguments[0] != "save" { #expect(output.count > 65536) }
    }

    @Test(arguments: ["run", "exec", "import"]) func `whose input is not there yet waits for it`(
        _ verb: String
    ) throws {
        _ = try run([], ["run", "-d", "--name", "up", "box", "sleep", "1000"])
        defer { _ = try? run([], ["rm", "-f", "up"]) }
        let arguments =
            switch verb {
            case "run": ["run", "--name", "it", "-i", "box", "sh", "-c", "echo up; cat"]
            case "exec": ["exec", "-i", "up", "sh", "-c", "echo up; cat"]
            default: ["import", "-q", "-", "made"]
            }
        let (reader, writer) = try impatientPipe()
        let process = mica.process(arguments)
        let output = Foundation.Pipe()
        process.standardInput = reader
        process.standardOutput = output
        try process.run()
        try reader.close()
        if verb != "import" {
            #expect(try output.fileHandleForReading.read(upToCount: 3) == Data("up\n".utf8))
        }
        // An input that is taken for ended has been by then.
        usleep(300_000)
        #expect(fcntl(writer.fileDescriptor, F_SETFL, 0) == 0)
        let tar = verb == "import" ? Data(count: 10240) : Data("late\n".utf8)
        try? writer.write(contentsOf: tar)
        try writer.close()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(verb == "import" ? said.count == 72 : said == tar)
    }

    /// Another file would get their numbers.
    @Test(
        arguments: [
            ("run -i --rm box cat <&-", 0), ("run --rm box echo hi >&-", 125),
            ("run --rm box sh -c 'echo hi >&2' 2>&-", 125), ("run -d --rm box true >&-", 125),
            ("save -o saved.tar box 2>&-", 0),
        ] as [(String, Int32)]
    )
    func `without a standard stream does without it`(command: String, status: Int32) throws {
        let process = mica.process(["-c", "cd \"$MICA_ROOT/..\" && \"$0\" \(command)", mica.program.path])
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == status)
    }

    @Test(arguments: [(0, 128 + SIGPIPE), (3, 3)] as [(Int32, Int32)])
    func `whose reader has gone ends as one that SIGPIPE killed`(ends: Int32, status: Int32) throws {
        let pipe = try Linux.Pipe()
        let here = box.root.outside
        let script = "until [ -e /here/gone ]; do sleep 0.02; done; echo x; exit \(ends)"
        let process = mica.process(["run", "--rm", "-v", "\(here):/here", "box", "sh", "-c", script])
        let output = FileHandle(
            fileDescriptor: try pipe.write.duplicate().release(),
            closeOnDealloc: true
        )
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try output.close()
        let writer = try pipe.write.duplicate()
        close(pipe.takeReadEnd().release())
        // Until execve(2) whatever other tests start has the read end, too.
        var end = pollfd(fd: writer.raw, events: 0, revents: 0)
        try #require(mica.wait { poll(&end, 1, 0) == 1 && end.revents & Int16(POLLERR) != 0 })
        try here.appending("gone").makeDirectory()
        process.waitUntilExit()
        let isKilled = process.terminationReason == .uncaughtSignal
        #expect((isKilled ? 128 : 0) + process.terminationStatus == status)
    }
}

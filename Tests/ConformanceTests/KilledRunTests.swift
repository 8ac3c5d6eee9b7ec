import CLinux
import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

/// The tests may be ended at any moment, with kill -9 as well.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts")) struct `When the tests are killed` {
    @Test func `nothing is left of what they had mounted, started and written`() throws {
        let workspace = try Workspace()
        let ready = "\(workspace.path)/ready"
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let command = [
            "/usr/bin/env", "MICA_HELD=\(ready)", program, "--testing-library", "swift-testing", "--filter",
            "A run that is to be killed",
        ]
        var arguments = command.map { UnsafePointer<CChar>(strdup($0)) }
        defer { for argument in arguments { free(UnsafeMutablePointer(mutating: argument)) } }
        arguments.append(nil)
        let pid = clinux_spawn_host(command[0], arguments, [-1, -1, -1], 3, 0)
        try #require(pid > 0)
        var status: CInt = 0
        while !FilePath(ready).exists {
            guard waitpid(pid, &status, WNOHANG) == 0 else { throw Failure("it ended by itself: \(status)") }
            usleep(10_000)
        }
        let path = try SmallTree.read(ready)
        #expect(try left(of: path).count >= 4, "mounts, a daemon, a loop device and a directory")
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        // What cleans up looks once a second whether it is needed.
        for _ in 0..<6000 where try !left(of: path).isEmpty { usleep(100_000) }
        #expect(try left(of: path) == [])
    }

    /// What there is that has to do with a path.
    private func left(of path: String) throws -> [String] {
        var found = MountTable.current().entries.map(\.target.string).filter { $0.hasPrefix(path) }
        if FilePath(path).exists { found.append(path) }
        for name in try FilePath("/sys/block").names() where name.starts(with: "loop".utf8) {
            let file = FilePath("/sys/block/\(String(decoding: name, as: UTF8.self))/loop/backing_file")
            let backing = (try? OwnedFD.open(file, O_RDONLY).contents(limit: 4096)) ?? []
            if backing.starts(with: path.utf8) { found.append(file.string) }
        }
        for name in try FilePath("/proc").names() {
            let file = FilePath("/proc/\(String(decoding: name, as: UTF8.self))/cmdline")
            let line = (try? OwnedFD.open(file, O_RDONLY).contents(limit: 65536)) ?? []
            if String(decoding: line, as: UTF8.self).contains(path) { found.append(file.string) }
        }
        return found
    }
}

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: getenv("MICA_HELD") != nil, "set MICA_HELD to a file to be written; another test does")
)
struct `A run that is to be killed` {
    @Test func `has a disk, a mount on it and a directory`() throws {
        let workspace = try Workspace()
        let disk = try LoopDisk(in: workspace, megabytes: 16)
        let tree = try SmallTree(.image, in: workspace, uppers: disk.path)
        try tree.write("new", to: "new")
        let open = try tree.open("new", O_RDWR)
        let ready = String(cString: try #require(getenv("MICA_HELD")))
        try SmallTree.write(workspace.path, to: "\(ready).new")
        try Errno.check(rename("\(ready).new", ready))
        while true { _ = open.use { _ in sleep(1) } }
    }
}

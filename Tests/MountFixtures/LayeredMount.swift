import Foundation
import Linux
import SystemPackage

package import Glibc

/// A lower directory's tree with an upper over it, mounted by micafs itself: where the upper is, and which process
/// serves, is the test's choice.
package final class LayeredMount: Sendable {
    package let path: String
    package let upper: String
    package let work: String
    private let source: [String]
    private let lower: Lower
    private let options: [String]

    /// Mounts `lower` at a new directory of `workspace`.
    ///
    /// - Parameters:
    ///   - uppers: where the upper and its work directory are made; in the workspace without it.
    ///   - options: further arguments of micafs.
    ///   - launcher: what micafs's command line is given to, for the first mount only.
    package convenience init(
        _ lower: Lower,
        in workspace: Workspace,
        uppers: String? = nil,
        options: [String] = [],
        launcher: [String] = []
    ) throws {
        let directory = try workspace.directory(UUID().uuidString)
        let uppers = uppers ?? directory
        try self.init(
            lower,
            upper: "\(uppers)/upper",
            work: "\(uppers)/work",
            at: "\(directory)/mount",
            options
        )
        try mount(launcher: launcher)
    }

    private init(_ lower: Lower, upper: String, work: String, at path: String, _ options: [String]) throws {
        (self.path, self.upper, self.work) = (path, upper, work)
        (self.lower, self.options) = (lower, options)
        for directory in [path, upper, work] {
            try naming("create \(directory)") { try FilePath(directory).makeDirectories() }
        }
        source = lower.arguments(upper: upper, work: work) + LayeredMount.everywhere + options
    }

    /// The same layers, upper and mount point with further arguments of micafs. Precondition: not mounted.
    package init(of other: LayeredMount, options: [String]) throws {
        (path, upper, work) = (other.path, other.upper, other.work)
        source = other.source + options
        (lower, self.options) = (other.lower, other.options + options)
        try mount()
    }

    /// The same lower with another upper, which is in `uppers` or made there.
    package convenience init(of other: LayeredMount, uppers: String, options: [String] = []) throws {
        try self.init(
            other.lower,
            upper: "\(uppers)/upper",
            work: "\(uppers)/work",
            at: "\(uppers)/mount",
            other.options + options
        )
        try mount()
    }

    /// For all mounts of a run: the environment's MICA_MOUNT_OPTIONS, `io=passthrough,transport=dev` for instance.
    private static let everywhere: [String] = {
        guard let options = getenv("MICA_MOUNT_OPTIONS") else { return [] }
        return ["-o", String(cString: options)]
    }()

    /// Mounts what is not mounted (any more).
    package func mount(launcher: [String] = []) throws {
        let command = launcher + [Tool.binaries.appendingPathComponent("micafs").path] + source + [path]
        try Background.start(command, errors: "\(path).errors")
    }

    /// Returns when the daemon has ended.
    ///
    /// Detached, because whatever the test starts at the same time has copies of its descriptors until execve(2).
    package func unmount() throws {
        _ = try naming("unmount \(path)") { try Errno.check(umount2(path, CInt(MNT_DETACH))) }
        try waitForDaemon()
    }

    /// The daemon keeps its work directory locked until it has really ended.
    private func waitForDaemon() throws {
        try waitForDaemon(try OwnedFD.open(FilePath(work), O_RDONLY | O_DIRECTORY))
    }

    private func waitForDaemon(_ lock: borrowing OwnedFD) throws {
        try naming("lock \(work)") {
            try lock.use { raw throws(Errno) in
                _ = try Errno.retrying { flock(raw, LOCK_EX) }
                // Not left to close(2): a process that is just being started may have the descriptor, too.
                try Errno.check(flock(raw, LOCK_UN))
            }
        }
    }

    /// Brings all data into the upper, so that others can read it. Precondition: not mounted.
    package func materialize(launcher: [String] = []) throws {
        let command =
            launcher + [Tool.binaries.appendingPathComponent("micafs").path, "--materialize"] + source
        try Tool.run(URL(fileURLWithPath: command[0]), Array(command.dropFirst()))
    }

    /// At once: the new daemon waits for the old one. Not for ever: a mount namespace that another test has made
    /// meanwhile has a copy of the mount, and may keep it for longer than that.
    package func remount() throws {
        _ = try naming("unmount \(path)") { try Errno.check(umount2(path, CInt(MNT_DETACH))) }
        do {
            try mount()
        } catch let failure as Failure where failure.description.contains("is mounted already") {
            try waitForDaemon()
            try mount()
        }
    }

    /// The daemon: the process whose last argument is this mount's path.
    package func daemon() throws -> pid_t {
        for name in try FilePath("/proc").names() {
            guard let pid = pid_t(String(decoding: name, as: UTF8.self)),
                let line = try? OwnedFD.open(FilePath("/proc/\(pid)/cmdline"), O_RDONLY).contents(
                    limit: 65536
                ),
                line.split(separator: 0).last?.elementsEqual(path.utf8) == true
            else { continue }
            return pid
        }
        throw Failure("no process serves \(path)")
    }

    /// kill -9, and what is left of the mount is taken away.
    ///
    /// - Parameter last: done right before, and may leave nothing that can be opened where the upper is.
    package func kill(after last: () throws -> Void = {}) throws {
        let lock = try naming("open \(work)") { try OwnedFD.open(FilePath(work), O_RDONLY | O_DIRECTORY) }
        try last()
        _ = try naming("kill the daemon of \(path)") { try Errno.check(Glibc.kill(daemon(), SIGKILL)) }
        _ = try naming("unmount \(path)") { try Errno.check(umount2(path, CInt(MNT_DETACH))) }
        try waitForDaemon(lock)
    }
}

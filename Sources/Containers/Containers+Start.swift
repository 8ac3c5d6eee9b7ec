import Snapshots
package import Linux
import Runner
import SystemPackage

import Glibc

extension Containers {
    /// Starts a container that was created, or has ended, in the background, with everything it wrote. One that runs
    /// is left alone.
    package func start(_ container: Container) throws {
        if status(of: container).phase == .running { return }
        try require(.start, of: container, or: "mica unpause lets one go on that is paused.")
        do {
            try runDetached(container)
        } catch {
            // Another process may have started it first, and it may have ended since.
            guard Containers.saysItRuns(error, container) || isRunning(container) else { throw error }
        }
    }

    /// Ends it as `stop` does, if it runs, and starts it in the background.
    package func restart(_ container: Container, seconds: Int, with signal: Signal? = nil) throws {
        let name = container.record.name
        guard !container.spec.removeAtExit else {
            throw Failure(
                "container \(name) is removed when it ends (--rm), and can't be restarted",
                advice: "Stop it, and run another one.",
                kind: .failedPrecondition
            )
        }
        try stop(container, seconds: seconds, with: signal)
        let tooLate = Failure("container \(name) was started by another process", kind: .failedPrecondition)
        guard let lock = try lockUnlessRunning(container) else { throw tooLate }
        let last = try cleared(container)
        guard (last?.phase ?? .created).after(.restart) != nil else { throw tooLate }
        var state = last ?? ContainerState(.created)
        state.phase = .restarting
        state.monitor = ProcessIdentity(of: getpid())
        try write(state, of: container)
        _ = consume lock
        do {
            try runDetached(container)
        } catch {
            guard Containers.saysItRuns(error, container) else { throw error }
            throw tooLate
        }
        tell("restart", of: container)
    }

    /// Waits for the end of a container and returns its exit status; at once for one that does not run, 0 for one
    /// that never did. nil: its end was not observed.
    package func wait(for container: Container) throws -> Int32? {
        switch status(of: container) {
        case .created:
            // Unless it is just being started.
            guard FileLock.isHeld(container.files.lock) else { return 0 }
        case .exited(let code, _): return code
        case .unknown(let reason):
            throw Failure("how container \(container.record.name) ended is not known: \(reason)")
        case .running, .paused, .restarting: break
        }
        // The lock file has the exit status, even after the container was removed.
        let lock = try naming("wait for container \(container.record.name)") {
            try FileLock(container.files.lock, .shared)
        }
        return EndNote.read(lock.raw)
    }
}

/// A container's exit status, in its lock file: a process that waits for the lock has the file open even after the
/// container was removed.
enum EndNote {
    /// `status`: nil while it runs. `lock`: locked for writing.
    static func write(_ status: Int32?, to lock: CInt) {
        guard ftruncate(lock, 0) == 0, let status else { return }
        let text = Array("\(status)\n".utf8)
        _ = pwrite(lock, text, text.count, 0)
    }

    static func read(_ lock: CInt) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(lock, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0a }, as: UTF8.self))
    }
}

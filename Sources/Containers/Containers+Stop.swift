import Layers
import Snapshots
import Runner

import Glibc
package import Linux
import SystemPackage

extension Containers {
    /// Sends `signal` to process 1.
    package func kill(_ container: Container, with signal: Signal) throws {
        let process = try leader(of: container)
        tellKill(of: container, signal)
        try naming("send a signal to container \(container.record.name)") { try process.send(signal) }
        // A killed process must not stay frozen.
        if signal == .kill { try? ControlGroup.unpause(container.record.id) }
    }

    /// Sends `signal`, or the container's stop signal, and kills the container after `seconds`. One that is not
    /// running is left alone.
    package func stop(_ container: Container, seconds: Int, with signal: Signal? = nil) throws {
        let status = statusOnceStarted(container)
        if case .unknown = status { _ = try leader(of: container) }
        guard case .running(let process, _) = status else { return }
        let signal = signal ?? (try? Signal(parsing: container.spec.stopSignal)) ?? .terminate
        let milliseconds = Int32(clamping: max(seconds, 0).multipliedReportingOverflow(by: 1000).partialValue)
        tellKill(of: container, signal)
        try? process.send(signal)
        try? ControlGroup.unpause(container.record.id)
        if !process.waitForEnd(milliseconds: milliseconds) {
            tellKill(of: container, .kill)
            try? process.send(.kill)
            // A frozen process does not die, and process 1 waits for all the others.
            if !process.waitForEnd(milliseconds: 1000) { ControlGroup.kill(container.record.id) }
            // Process 1 ends only after the parents of processes started by exec have reaped them.
            for attempt in 0..<20 where !process.waitForEnd(milliseconds: 500) {
                Stragglers.send(attempt < 4 ? .goOn : .kill, toParentsOfThoseWith: process)
            }
        }
        guard process.waitForEnd(milliseconds: 10_000) else {
            throw Failure(
                "container \(container.record.name) can't be killed",
                advice: "It waits in the kernel, for a disk or a network filesystem, say.",
                kind: .failedPrecondition
            )
        }
        // The monitor still has to clean up and to record the exit status.
        guard waitForMonitor(of: container) else {
            throw Failure(
                "container \(container.record.name) has ended, but its monitor has not released it",
                advice: "See \(container.files.daemonLog).",
                kind: .failedPrecondition
            )
        }
        tell("stop", of: container)
    }

    /// Waits until the monitor has cleaned up. A stopped `mica run` (Ctrl-Z) is woken, and killed if that does
    /// not help, as another process may stop it again and again; then the container is cleaned up here. False after
    /// a minute.
    private func waitForMonitor(of container: Container) -> Bool {
        for attempt in 0..<600 {
            if Unmount.waitForDaemon(container.files.lock, milliseconds: 100) {
                // A monitor that has come to its end has left nothing to do.
                if container.files.readState()?.phase == .running { try? reclaim(container) }
                return true
            }
            wakeMonitor(of: container, attempt < 50 ? .goOn : .kill)
        }
        return false
    }

    private func wakeMonitor(of container: Container, _ signal: Signal) {
        guard let monitor = container.files.readState()?.monitor else { return }
        Stragglers.send(signal, ifStopped: monitor)
    }

    /// Waits while the container is being started.
    private func statusOnceStarted(_ container: Container) -> Status {
        for _ in 0..<500 {
            let status = recordedStatus(of: container)
            guard status.phase.after(.start) != nil, FileLock.isHeld(container.files.lock) else {
                return status
            }
            usleep(20_000)
        }
        return recordedStatus(of: container)
    }

    /// Removes a container and everything it wrote. `force`: kills it first. Failure (failedPrecondition) while
    /// it runs.
    package func remove(_ container: Container, force: Bool) throws {
        if !force { try refuseRunning(container) }
        guard container.files.directory.exists else { return try removeRecord(of: container) }
        guard let lock = try lockForRemoval(container, force: force) else {
            return try removeRecord(of: container)  // removed by another process
        }
        // The monitor may have been killed before it did this.
        guard ControlGroup.remove(container.record.id) else {
            throw Failure(
                "processes of container \(container.record.name) are still in its cgroup, and can't be killed",
                advice:
                    "See \(ControlGroup.parent)/\(container.record.id) below /sys/fs/cgroup, and try again.",
                kind: .failedPrecondition
            )
        }
        try removeLocked(container)
        _ = consume lock
    }

    private func refuseRunning(_ container: Container) throws {
        guard isRunning(container) else { return }
        throw Failure(
            "container \(container.record.name) \(status(of: container).phase.description)",
            advice: "Stop it first (mica stop \(container.record.name)), or remove it with -f.",
            kind: .failedPrecondition
        )
    }

    /// nil where the container has been removed. `force`: kills its monitor. Failure (failedPrecondition) when
    /// the lock is held and not released.
    private func lockForRemoval(_ container: Container, force: Bool) throws -> FileLock? {
        if force, isRunning(container) { tellKill(of: container, .kill) }
        for attempt in 0..<(force ? 200 : 10) {
            // With `force` the monitor gets time to clean up; without, only short-lived holders are waited for.
            let milliseconds = force ? min(attempt, 1) * 50 : 10
            if Unmount.waitForDaemon(container.files.lock, milliseconds: milliseconds) {
                do throws(Errno) {
                    if let lock = try lockMakingRoom(container) { return lock }
                } catch {
                    guard error == .noSuchFileOrDirectory else {
                        throw Failure("lock container \(container.record.name)", error)
                    }
                    return nil
                }
                usleep(10_000)
            }
            guard force else { continue }
            // Repeatedly: the container may only be about to start.
            let leader = container.files.readState()?.process
            try? leader?.send(.kill)
            ControlGroup.kill(container.record.id)
            // Stopped parents are woken, and killed after some attempts.
            let signal: Signal = attempt < 50 ? .goOn : .kill
            if attempt % 10 == 9, let leader { Stragglers.send(signal, toParentsOfThoseWith: leader) }
            wakeMonitor(of: container, signal)
        }
        if !force { try refuseRunning(container) }
        throw Failure(
            "container \(container.record.name) is busy: another process holds its lock",
            advice: "It may be being started or removed; try again.",
            kind: .failedPrecondition
        )
    }

    /// nil when the lock is held. Works on a full disk.
    private func lockMakingRoom(_ container: Container) throws(Errno) -> FileLock? {
        let path = container.files.lock
        return try store.makingRoom { () throws(Errno) -> FileLock? in try FileLock(trying: path) }
    }

    /// The caller holds the lock, and the container does not run.
    func removeLocked(_ container: Container) throws {
        let files = container.files
        takeOutRoot(of: container)
        // A mount point can't be removed with what is mounted on it, and must not be.
        guard !files.root.isMountPoint else {
            throw Failure(
                "the root of container \(container.record.name) is still mounted at \(files.root), and can't be unmounted",
                advice:
                    "Unmount it first: umount -l \(files.root) as root, or fusermount3 -u -z \(files.root)",
                kind: .failedPrecondition
            )
        }
        let latest = latest(container)
        // Without this lock the collector takes files in tmp/ for garbage.
        let change = try store.lockForChange()
        // The row first: a process that finds it also finds the files. Files that stay behind are the collector's.
        // The daemon, which may write to the files until then, is ended meanwhile.
        let wasThere = try store.removeContainer(
            container.record.id,
            durably: !container.spec.removeAtExit
        ) {
            _ = Unmount.end(files.mountLock, killing: true)
        }
        // A rename needs no new directory, so it works on a full disk.
        let trash = store.layout.tmp.appending("removed-\(container.record.id)")
        do {
            try store.makingRoom { () throws(Errno) in
                if trash.exists { try trash.removeTree() }
                try files.directory.rename(to: trash)
            }
        } catch .noSuchFileOrDirectory {
        } catch {
            throw Failure("rename \(files.directory)", error)
        }
        try naming("remove \(trash)") { try trash.removeTree() }
        _ = consume change
        if wasThere { tell("destroy", of: latest) }
    }

    /// Removes what is left of a container without a directory.
    func removeRecord(of container: Container) throws {
        if try store.removeContainer(container.record.id) { tell("destroy", of: container) }
    }
}

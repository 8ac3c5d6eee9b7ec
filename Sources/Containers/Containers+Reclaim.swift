import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

extension Containers {
    /// Cleans up after monitors that were killed: kills what is left of their containers, unmounts the roots,
    /// records the end, and removes containers that were to go at their end. Returns what could not be done.
    ///
    /// The same for steps of builds that were killed.
    ///
    /// Cheap where there is nothing to do: a look at each container's state, and at the active snapshots.
    @discardableResult
    package func reclaim() -> [String] {
        let table = MountTable.current()
        var problems = reclaimSteps()
        for record in (try? store.containers()) ?? [] {
            guard let container = try? container(record), isAbandoned(container, table) else { continue }
            do {
                try reclaim(container)
            } catch {
                let reason = (error as? Failure)?.message ?? "\(error)"
                problems.append("clean up behind container \(record.name): \(reason)")
            }
        }
        return problems
    }

    /// Whether a process began to run the container and is gone, with something left to be done.
    private func isAbandoned(_ container: Container, _ table: MountTable) -> Bool {
        let files = container.files
        // No lock file: the container was created and may be about to be run, unless the machine has stopped since.
        guard files.lock.exists else {
            return container.spec.removeAtExit && container.record.created < UnixTime.boot
        }
        // A state that can't be read stays as it is, for a person to look at.
        let state = files.readState()
        // Its monitor makes the lock file, locks it, and writes a state later.
        if state == nil, isNew(files.lock) { return false }
        let isFinished = [.exited, .unknown, .created].contains(state?.phase)
        // Between two runs the lock is free.
        if state?.phase == .restarting, state?.monitor?.open() != nil { return false }
        // One that was only copied to has not been started yet.
        let isToGo = container.spec.removeAtExit && state?.phase != .created
        guard
            !isFinished || isToGo || table.top(at: files.root) != nil || FileLock.isHeld(files.mountLock)
        else { return false }
        return !FileLock.isHeld(files.lock)
    }

    /// Whether a file was made within the last ten seconds.
    private func isNew(_ path: FilePath) -> Bool {
        guard let changed = try? path.status().st_ctim else { return false }
        return UnixTime.now - Int64(changed.tv_sec) * 1_000_000_000 < 10_000_000_000
    }

    func reclaim(_ container: Container) throws {
        let files = container.files
        // Its row was on disk when the machine stopped, its directory was not.
        guard files.directory.exists else { return try removeRecord(of: container) }
        // Another process may be cleaning up, or may have removed it.
        guard let lock = try? FileLock(trying: files.lock) else { return }
        if container.spec.removeAtExit, files.readState()?.phase != .created {
            // A container can survive its monitor if it cleared its death signal. It ends here.
            ControlGroup.remove(container.record.id)
            if files.readState()?.phase == .running { tellEnd(of: container, exitCode: nil) }
            try removeLocked(container)
        } else {
            try cleanUp(container)
        }
        _ = consume lock
    }

    /// Prepares a container for its next start: cleans up after a monitor that was killed. The caller holds its
    /// lock. Returns the last state, nil for a container that was never started. Failure when the state can't be
    /// read.
    func cleared(_ container: Container) throws -> ContainerState? {
        let files = container.files
        guard let state = files.readState() else {
            // Its root may have been mounted for a copy.
            let isLeft = files.mountLock.exists && isMounted(container)
            if isLeft { try cleanUp(container) }
            return isLeft ? files.readState() : nil
        }
        guard state.phase != .unknown else {
            throw Failure(
                "whether container \(container.record.name) has been started is not known: \(state.error ?? "")",
                advice: "Save what it wrote (mica commit), and remove it: mica rm \(container.record.name)",
                exitCode: ExitStatus.failed.rawValue
            )
        }
        guard ![.created, .exited, .restarting].contains(state.phase) || isMounted(container) else {
            return state
        }
        try cleanUp(container)
        return files.readState()
    }

    private func isMounted(_ container: Container) -> Bool {
        let files = container.files
        return FileLock.isHeld(files.mountLock) || MountTable.current().top(at: files.root) != nil
    }

    /// The caller holds the lock, and the container does not run.
    private func cleanUp(_ container: Container) throws {
        let files = container.files
        ControlGroup.remove(container.record.id)
        let isUnmounted = unmountRoot(of: container)
        var state = files.readState() ?? ContainerState(.restarting)
        if ![.created, .exited, .unknown].contains(state.phase) {
            let hasRun = state.phase == .running
            state.phase = .exited
            state.process = nil
            state.monitor = nil
            try write(state, of: container)
            if hasRun { tellEnd(of: container, exitCode: nil) }
        }
        guard isUnmounted else { throw Failure("its micafs does not end; see \(files.daemonLog)") }
    }
}

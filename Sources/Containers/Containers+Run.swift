import Layers
package import Runner

import Digests
import Glibc
import Linux
import Snapshots
import SystemPackage

extension Containers {
    /// The streams between a container and its user while it runs.
    package struct Attachment: Sendable {
        /// The descriptor that its standard input is read from; -1 for none.
        package var input: CInt
        /// The user's terminal, raw while the container runs; -1 for none.
        package var terminal: CInt
        /// The size of the program's terminal; nil: as this process's terminal.
        var window: ProcessStreams.WindowSize?
        /// Gets the output after the log. It may block: stopping or removing the container does not wait for it.
        package var sink: StdioProxy.Sink
        /// Lets clients attach while the container runs; it has to get everything that `sink` gets.
        var monitor: Monitor?

        package init(input: CInt = -1, terminal: CInt = -1, sink: @escaping StdioProxy.Sink = { _, _ in }) {
            self.input = input
            self.terminal = terminal
            self.sink = sink
        }
    }

    /// Runs a container that was created, or has ended, until it ends, on this thread, and cleans up after it. The
    /// container dies with this thread. `started` is called once its program runs.
    ///
    /// A Failure whose exit code is 126 or 127 means that the program could not be executed.
    package func run(
        _ container: Container,
        _ attachment: Attachment,
        started: () throws -> Void = {}
    ) throws -> ExitStatus {
        HostTerminal.comeForward(attachment.terminal)
        // Before anything is started, so that a signal finds either no container yet or one that gets it.
        let proxy = try StdioProxy()
        let ended = try runToEnd(container, attachment, proxy, started)
        let status = ended.status
        // By now everything is cleaned up and unlocked.
        proxy.deliver(ended)
        return status
    }

    private func runToEnd(
        _ container: Container,
        _ attachment: Attachment,
        _ proxy: borrowing StdioProxy,
        _ started: () throws -> Void
    ) throws -> StdioProxy.Ended {
        guard let lock = try lockUnlessRunning(container, exitCode: ExitStatus.failed.rawValue) else {
            throw Containers.alreadyRuns(container)
        }
        let last = try cleared(container)
        guard (last?.phase ?? .created).after(.start) != nil else {
            throw Failure(
                "container \(container.record.name) \(last?.phase.description ?? "")",
                exitCode: ExitStatus.failed.rawValue
            )
        }
        EndNote.write(nil, to: lock.raw)
        try attachment.monitor?.listen(in: container.files.directory)
        defer { attachment.monitor?.close(in: container.files.directory) }
        defer {
            if container.spec.removeAtExit { try? removeLocked(container) }
            _ = lock.raw
        }
        do {
            let ended = try runLocked(container, last, attachment, proxy, started)
            EndNote.write(ended.status.rawValue, to: lock.raw)
            return ended
        } catch {
            try? recordFailure(error, of: container)
            let failure = Containers.asRunFailure(error)
            EndNote.write(failure.exitCode, to: lock.raw)
            throw failure
        }
    }

    private func runLocked(
        _ container: Container,
        _ last: ContainerState?,
        _ attachment: Attachment,
        _ proxy: borrowing StdioProxy,
        _ started: () throws -> Void
    ) throws -> StdioProxy.Ended {
        let files = container.files
        // Removal unmounts the root on its way.
        defer { if !container.spec.removeAtExit { unmountRoot(of: container) } }
        let process = container.spec.process
        let streams =
            try process.terminal
            ? ProcessStreams(terminal: attachment.window ?? HostTerminal.size ?? .init(rows: 0, columns: 0))
            : ProcessStreams(interactive: process.interactive)
        var confinement: Confinement?
        defer { confinement?.group.remove() }
        var antechamber: Sandbox.Antechamber?
        let snapshot = try mountRoot(of: container) {
            try NetworkFiles.write(for: container)
            let confined = try Confinement(of: container, in: store.layout)
            confinement = confined
            antechamber = try Sandbox.prepare(container.spec, streams: streams, group: confined.group)
        }
        guard let confinement, let antechamber else {
            throw Failure(
                "the root of container \(container.record.name) was mounted without waiting for its process"
            )
        }
        let running = try Sandbox.start(
            container.spec,
            in: antechamber,
            root: files.root,
            files: NetworkFiles.volumes(of: container),
            streams: streams,
            filter: confinement.filter,
            // Not worth a failure: without it a diff lists the mount points.
            made: { try? store.note(mountPoints: $0, in: snapshot) }
        )

        var state = ContainerState(.running)
        state.process = ProcessIdentity(ofChild: running.pid)
        state.monitor = ProcessIdentity(of: getpid())
        state.started = UnixTime.now
        try write(state, of: container)
        tell("start", of: container)
        try attachment.monitor?.serve(running, streams)
        try started()

        let log = LogWriter(files.directory, container.spec.logLimits ?? .standard, behind: last)
        let ended = try proxy.follow(
            running,
            streams,
            input: attachment.input,
            terminal: attachment.terminal,
            log: { log.append($0, $1) },
            client: attachment.sink
        )
        let (status, killedForMemory) = (ended.status.rawValue, confinement.group.hasKilledForMemory)
        defer { tellEnd(of: container, exitCode: status, killedForMemory: killedForMemory) }
        // The record of its end goes with the container.
        if container.spec.removeAtExit { return ended }
        state.phase = .exited
        state.process = nil
        state.monitor = nil
        state.exitCode = status
        if killedForMemory { state.killedForMemory = true }
        state.finished = UnixTime.now
        try write(state, of: container)
        return ended
    }

    /// Returns the number of its snapshot.
    @discardableResult
    func mountRoot(
        of container: Container,
        // The container's view is mounted nodev, and the host has no use for its devices either.
        options: [String] = ["nodev"],
        endsWithCaller: Bool = false,
        meanwhile: () throws -> Void = {}
    ) throws -> Int64 {
        let files = container.files
        let snapshot = try store.snapshot(container.record.snapshot)
        try naming("create \(files.root)") { try files.root.makeDirectory(mode: 0o755) }
        let lock = try naming("lock \(files.mountLock)") { try FileLock(files.mountLock) }
        var tree = RootTree(
            layers: snapshot.layers,
            snapshot: store.layout.snapshot(snapshot.id),
            source: container.record.name,
            options: options + (container.spec.rootOptions ?? [])
        )
        tree.endsWithCaller = endsWithCaller
        try roots.mount(
            tree,
            at: files.root,
            lock: lock.raw,
            log: files.daemonLog,
            meanwhile: meanwhile
        )
        return snapshot.id
    }

    /// Called after the container has ended. Other users of the root (a shell in the directory, a mount namespace
    /// with a copy of the mount) get errors from it afterwards; everything written is in the upper. A daemon that
    /// hangs is killed. False when not even that ended it.
    @discardableResult
    func unmountRoot(of container: Container) -> Bool {
        let (root, lock) = (container.files.root, container.files.mountLock)
        do {
            try Unmount.unmount(root, .polite)
        } catch {
            // Before the lazy unmount, during which the kernel writes back the data that it still holds.
            _ = Unmount.end(lock, killing: true)
            try? Unmount.unmount(root, .lazy)
        }
        return Unmount.end(lock, killing: true)
    }

    /// The first half of unmountRoot, for a container whose data is thrown away.
    func takeOutRoot(of container: Container) {
        let root = container.files.root
        do {
            try Unmount.unmount(root, .polite)
        } catch {
            try? Unmount.unmount(root, .lazy)
        }
    }

    private func recordFailure(_ error: any Error, of container: Container) throws {
        // The last state stays when it says more: the container did run.
        guard (container.files.readState()?.phase ?? .created).after(.fail) != nil else { return }
        var state = ContainerState(.exited)
        state.exitCode = (Containers.asRunFailure(error)).exitCode
        state.error = "\(error)"
        state.finished = UnixTime.now
        try write(state, of: container)
    }

    /// Every failure that is not about the program itself exits with 125.
    private static func asRunFailure(_ error: any Error) -> Failure {
        var failure = error as? Failure ?? Failure("\(error)")
        let own = [ExitStatus.notExecutable.rawValue, ExitStatus.notFound.rawValue]
        if !own.contains(failure.exitCode) { failure.exitCode = ExitStatus.failed.rawValue }
        return failure
    }
}

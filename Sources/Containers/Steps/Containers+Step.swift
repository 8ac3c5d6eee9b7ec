import Digests
import Layers
import Linux
package import Runner
import Snapshots
import SystemPackage

import Glibc

extension Containers {
    /// A command that has ended: what it wrote is in the active snapshot `snapshot`, which is not mounted.
    package struct EndedStep: Sendable {
        package let snapshot: String
        package let status: ExitStatus
        /// The OOM killer killed one of its processes.
        package let isShortOfMemory: Bool
    }

    /// Runs a command of a build in a new snapshot, contained as any container is, on this thread: the command and its
    /// mount die with it. The caller commits the snapshot or removes it; after an error there is none.
    package func run(
        _ step: StepRequest,
        until cancellation: Cancellation,
        output: (StdioProxy.Stream, UnsafeRawBufferPointer) throws -> Void
    ) throws -> EndedStep {
        try Containers.checkPrivileges()
        try cancellation.check()
        let id = ContainerName.randomID()
        let key = "build-\(id.prefix(12))"
        guard let owner = ProcessIdentity(of: getpid()) else { throw Failure("/proc is not mounted") }
        let snapshot = try store.prepare(
            key,
            parent: ChainID.all(of: step.layers).last.map { "\($0)" },
            labels: [StepOwner.label: StepOwner(container: id, process: owner).text],
            durably: false
        )
        let work = StepDirectory(store.layout.snapshot(snapshot.id))
        do {
            defer { work.remove() }
            do { return try runPrepared(step, as: id, snapshot, work, cancellation, output) } catch {
                throw work.quotingLog(in: error)
            }
        } catch {
            try? store.remove(key)
            throw error
        }
    }

    private func runPrepared(
        _ step: StepRequest,
        as id: String,
        _ snapshot: SnapshotRecord,
        _ work: StepDirectory,
        _ cancellation: Cancellation,
        _ output: (StdioProxy.Stream, UnsafeRawBufferPointer) throws -> Void
    ) throws -> EndedStep {
        try work.make()
        defer { for tree in step.trees.indices { work.unmountTree(tree) } }
        var spec = ContainerSpec(
            id: id,
            process: step.process,
            hostname: "build",
            network: step.network,
            volumes: step.volumes
        )
        for (number, tree) in step.trees.enumerated() {
            spec.volumes.append(try work.mount(tree, number, roots))
        }
        for (number, file) in step.files.enumerated() {
            spec.volumes.append(try work.write(file, number))
        }
        let container = Container(
            record: ContainerRecord(
                id: id,
                name: "a step of a build",
                image: SHA256.digest(of: []),
                imageName: "",
                snapshot: snapshot.key,
                created: UnixTime.now,
                config: []
            ),
            spec: spec,
            files: work.files
        )
        defer { unmountRoot(of: container) }
        let streams = try ProcessStreams(interactive: false)
        var confinement: Confinement?
        defer { confinement?.group.remove() }
        var antechamber: Sandbox.Antechamber?
        try mountRoot(of: container, options: ["nodev", "volatile"], endsWithCaller: true) {
            try NetworkFiles.write(for: container)
            let confined = try Confinement(of: container, in: store.layout)
            confinement = confined
            antechamber = try Sandbox.prepare(spec, streams: streams, group: confined.group)
        }
        guard let confinement, let antechamber else {
            throw Failure("a step was mounted without its process")
        }
        let process = try Sandbox.start(
            spec,
            in: antechamber,
            root: container.files.root,
            files: NetworkFiles.volumes(of: container),
            temporary: step.temporary,
            streams: streams,
            filter: confinement.filter,
            made: { try? store.note(mountPoints: $0, in: snapshot.id) }
        )
        let status = try cancellation.covering(process) {
            do { return try process.follow(streams, output) } catch {
                try? process.send(.kill)
                _ = try? process.wait()
                throw error
            }
        }
        try cancellation.check()
        // Whatever the command made of it.
        guard !MountTable.isOrphan(container.files.root) else {
            throw Failure(
                "micafs, which serves the command's files, has ended before it",
                advice: "See \(container.files.daemonLog)."
            )
        }
        return EndedStep(
            snapshot: snapshot.key,
            status: status,
            isShortOfMemory: confinement.group.hasKilledForMemory
        )
    }

    /// Removes what builds that were killed have left of their steps: cgroups, mounts, snapshots.
    func reclaimSteps() -> [String] {
        var problems: [String] = []
        for snapshot in (try? store.activeSnapshots(labelled: StepOwner.label)) ?? [] {
            guard let owner = snapshot.labels[StepOwner.label].flatMap({ StepOwner(text: $0) }),
                owner.process.open() == nil
            else { continue }
            // The label is all that knows of the cgroup: it stays for as long as a process in it does not end.
            guard ControlGroup.remove(owner.container) else {
                problems.append("clean up behind a build: its processes don't end")
                continue
            }
            let work = StepDirectory(store.layout.snapshot(snapshot.id))
            work.remove()
            do { try store.remove(snapshot.key) } catch {
                problems.append("clean up behind a build: \((error as? Failure)?.message ?? "\(error)")")
            }
        }
        return problems
    }
}

import Snapshots
package import Runner

import Linux

extension Containers {
    /// What a user asks of `exec`; the container's spec supplies the rest.
    package struct ExecRequest: Sendable {
        package var arguments: [String]
        package var environment: [String] = []
        package var directory: String?
        package var user: String?
        package var terminal = false
        package var interactive = false

        package init(_ arguments: [String]) { self.arguments = arguments }

        func process(in spec: ContainerSpec) -> ProcessSpec {
            var process = spec.process
            process.arguments = arguments
            let base =
                terminal ? Environment.merging(process.environment, ["TERM=xterm"]) : process.environment
            process.environment = Environment.withoutEmptyHome(Environment.merging(base, environment))
            process.directory = directory ?? process.directory
            process.user = user ?? process.user
            process.terminal = terminal
            process.interactive = interactive
            return process
        }
    }

    /// Runs one more program in a running container, until it ends.
    package func execute(
        _ request: ExecRequest,
        in container: Container,
        _ attachment: Attachment
    ) throws -> ExitStatus {
        HostTerminal.comeForward(attachment.terminal)
        let process = request.process(in: container.spec)
        let streams =
            try process.terminal
            ? ProcessStreams(terminal: HostTerminal.size ?? .init(rows: 0, columns: 0))
            : ProcessStreams(interactive: process.interactive)
        let running = try start(process, in: container, streams, diesWithCaller: true)
        // Only now: a container can stall what enters it. Until here a signal must end this process, and the program
        // with it.
        let proxy = try StdioProxy()
        tellStart(of: process, in: container)
        let status = try proxy.run(
            running,
            streams,
            input: attachment.input,
            terminal: attachment.terminal,
            sink: attachment.sink
        )
        tell("exec_die", of: container, ["exitCode": "\(status.rawValue)"])
        return status
    }

    /// The same, detached and without streams. Its parent is this process, so after that has ended the host's init
    /// reaps it (the kernel reparents within the old parent's pid namespace).
    package func executeDetached(_ request: ExecRequest, in container: Container) throws {
        var process = request.process(in: container.spec)
        process.terminal = false
        _ = try start(process, in: container, try ProcessStreams(), diesWithCaller: false)
        tellStart(of: process, in: container)
    }

    private func tellStart(of process: ProcessSpec, in container: Container) {
        tell("exec_start: \(process.arguments.joined(separator: " "))", of: container)
    }

    private func start(
        _ process: ProcessSpec,
        in container: Container,
        _ streams: ProcessStreams,
        diesWithCaller: Bool
    ) throws -> ContainerProcess {
        let leader = try leader(of: container)
        try refuseLostRoot(of: container)
        guard let pidfd = leader.open() else {
            throw Failure("container \(container.record.name) is not running", kind: .failedPrecondition)
        }
        let confinement = try Confinement(joining: container, leader: pidfd, in: store.layout)
        return try Sandbox.join(
            pidfd,
            pid: leader.pid,
            process,
            of: container.spec,
            streams: streams,
            group: confinement.group,
            filter: confinement.filter,
            diesWithCaller: diesWithCaller
        )
    }

    func refuseLostRoot(of container: Container) throws {
        guard isRootLost(container) else { return }
        let name = container.record.name
        throw Failure(
            "the root filesystem of container \(name) is lost: its micafs was killed",
            advice:
                "Nothing can be started in it. What it wrote is there: mica commit \(name) IMAGE, and then"
                + " mica rm -f \(name).",
            kind: .failedPrecondition
        )
    }
}

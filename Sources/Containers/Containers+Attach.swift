import Snapshots
import Linux
package import Runner
import SystemPackage

import CLinux
import Glibc

extension Containers {
    package enum Attached: Sendable, Equatable {
        case ended(ExitStatus)
        /// By Ctrl-P Ctrl-Q, or because its output could not be passed on: the container keeps running.
        case detached
    }

    /// Connects the caller's streams to a running container, until it ends or the user detaches: output from now on, input,
    /// signals and the size of the terminal. The container outlives this process.
    package func attach(to container: Container, _ attachment: Attachment) throws -> Attached {
        let name = container.record.name
        guard case .running = status(of: container) else {
            throw Failure(
                "container \(name) \(status(of: container).phase.description)",
                advice: "mica start -a \(name) starts one that is not; mica unpause \(name) lets one go on.",
                kind: .failedPrecondition
            )
        }
        HostTerminal.comeForward(attachment.terminal)
        let proxy = try StdioProxy()
        let socket = OpenFile(try connect(to: container))
        let client = MonitorClient(self, container, attachment, socket: socket, started: false)
        if attachment.terminal >= 0 { client.sendWindow() }
        tell("attach", of: container)
        return try followed(container) { try client.follow(proxy) }
    }

    /// Runs `body`, which follows a client's container, and tells if it ends before the container does.
    func followed(_ container: Container, _ body: () throws -> Attached) throws -> Attached {
        let attached = try body()
        if attached == .detached { tell("detach", of: container) }
        return attached
    }

    private func connect(to container: Container) throws -> OwnedFD {
        let directory = try naming("open \(container.files.directory)") {
            try OwnedFD.open(container.files.directory, O_PATH | O_DIRECTORY)
        }
        let raw = directory.use { clinux_connect($0, Monitor.name) }
        switch raw {
        case 0...: return OwnedFD(adopting: raw)
        case -ENOENT, -ECONNREFUSED:
            throw Failure(
                "container \(container.record.name) can't be attached to: what runs it is about to end",
                kind: .failedPrecondition,
                exitCode: ExitStatus.failed.rawValue
            )
        default: throw Failure("attach to container \(container.record.name)", Errno(rawValue: -raw))
        }
    }
}

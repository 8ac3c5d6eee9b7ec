package import Snapshots
import Layers
import Glibc
import Linux
import Runner
import SystemPackage

extension Containers {
    /// Starts a container that was created, or has ended, in the background, and returns once its program runs.
    /// Failures are those of `run`. `monitor`: the process that will run it; nil: a new one.
    package func runDetached(_ container: Container, by monitor: MonitorProcess? = nil) throws {
        let monitor = try monitor ?? MonitorProcess(root: store.layout.root)
        try monitor.run(container, window: nil)
    }

    /// The same, with this process attached from the beginning: see `attach`. The container outlives this process.
    package func runAttached(
        _ container: Container,
        _ attachment: Attachment,
        by monitor: MonitorProcess
    ) throws -> Attached {
        HostTerminal.comeForward(attachment.terminal)
        tell("attach", of: container)
        // Taken before the start, so that a signal finds either no container yet or one that gets it.
        let proxy = try StdioProxy()
        try monitor.run(
            container,
            window: container.spec.process.terminal ? HostTerminal.size : nil,
            signals: proxy
        )
        let client = MonitorClient(self, container, attachment, socket: monitor.socket, started: true)
        return try followed(container) { try client.follow(proxy, input: monitor.takeInput) }
    }

    /// The monitor's side, with the descriptors of `MonitorProcess`: runs the container that the starter names.
    /// Returns if the starter ends without naming one.
    package static func monitor(_ store: () throws -> Store, interactive: Bool) throws {
        let starter = OpenFile(OwnedFD(adopting: MonitorProcess.socketFD))
        let input = interactive ? OpenFile(OwnedFD(adopting: MonitorProcess.inputFD)) : nil
        let monitor = Monitor(startedBy: starter, input: input)
        // The caller's directory can be unmounted meanwhile.
        chdir("/")
        do {
            let containers = Containers(try store())
            var attachment = Attachment { try monitor.pass($0, $1) }
            attachment.monitor = monitor
            while let message = try MonitorMessage.next(from: starter.fd) {
                if let window = message.window { attachment.window = window }
                guard message.kind == .run else { continue }
                let container = try containers.container(
                    named: String(decoding: message.bytes, as: UTF8.self)
                )
                try redirectMessages(to: container.files.monitorLog)
                monitor.end(try containers.run(container, attachment) { monitor.started() })
                break
            }
        } catch {
            let failure = error as? Failure ?? Failure("\(error)", exitCode: ExitStatus.failed.rawValue)
            monitor.fail(failure)
            throw failure
        }
    }

    private static func redirectMessages(to log: FilePath) throws {
        let file = try naming("open \(log)") {
            try OwnedFD.open(log, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        }
        for standard in [STDOUT_FILENO, STDERR_FILENO] {
            _ = try Errno.check(file.use { dup2($0, standard) })
        }
    }
}

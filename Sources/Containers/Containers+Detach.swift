import Snapshots
import Layers
import Glibc
import Linux
package import Runner
import SystemPackage

extension Containers {
    /// Starts a created container under a supervisor of its own (`mica supervise`), and returns once its
    /// program runs. Failures are those of `run`.
    package func runDetached(_ container: Container) throws {
        let program = try HostProcess.program().string
        let status = try Pipe()
        let theirs = try status.write.duplicate()
        let log = try naming("open \(container.files.supervisorLog)") {
            try OwnedFD.open(container.files.supervisorLog, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
                .duplicate()
        }
        // Above the descriptor numbers that the supervisor gets.
        let status3 = OwnedFD(adopting: try Errno.check(fcntl(theirs.raw, F_DUPFD_CLOEXEC, 4)))
        _ = try HostProcess(
            [program, "supervise", "--root", store.layout.root.string, container.record.id],
            descriptors: [nil, log.raw, log.raw, status3.raw],
            inSession: true
        )
        try Containers.awaitStart(status, consume theirs, consume status3)
    }

    /// The supervisor's side: `status` gets one line, `ok` or `<exit code> <message>`, and is then closed.
    package func supervise(_ container: Container, status: CInt) throws -> ExitStatus {
        var status: OwnedFD? = OwnedFD(adopting: status)
        do {
            let monitor = Monitor()
            var attachment = Attachment { monitor.pass($0, $1) }
            attachment.monitor = monitor
            let ended = try run(container, attachment) {
                if let pipe = status.take() { try? pipe.writeAll(Array("ok\n".utf8)) }
            }
            monitor.end(ended)
            return ended
        } catch {
            if let pipe = status.take() {
                let failure = error as? Failure ?? Failure("\(error)", exitCode: ExitStatus.failed.rawValue)
                try? pipe.writeAll(Array("\(failure.exitCode) \(failure)\n".utf8))
            }
            throw error
        }
    }

    private static func awaitStart(
        _ status: consuming Pipe,
        _ first: consuming OwnedFD,
        _ second: consuming OwnedFD
    ) throws {
        // Only the supervisor may hold the write ends, or the reader would never see end of file.
        _ = consume first
        _ = consume second
        let reader = try status.read.duplicate()
        _ = consume status
        let text = String(decoding: try reader.contents(limit: 1 << 20), as: UTF8.self)
        if text == "ok\n" { return }
        let parts = text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let code = Int32(parts[0]) else {
            throw Failure("the container's supervisor was killed", exitCode: ExitStatus.failed.rawValue)
        }
        throw Failure(described: String(parts[1].dropLast()), exitCode: code)
    }
}

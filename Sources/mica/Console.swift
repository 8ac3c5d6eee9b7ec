import ArgumentParser
import Containers
import Linux
import Runner
import SystemPackage

import Glibc
import Synchronization

/// Connects the user's standard streams to a container.
struct Console {
    let attachment: Containers.Attachment
    private let output = Output()

    /// The first write that failed, and why.
    private final class Output: Sendable {
        let failure = Mutex<(stream: StdioProxy.Stream, errno: Errno)?>(nil)

        func write(_ bytes: UnsafeRawBufferPointer, to stream: StdioProxy.Stream) throws(Errno) {
            do {
                try Console.descriptor(of: stream).writeAll(bytes)
            } catch {
                failure.withLock { first in if first == nil { first = (stream, error) } }
                throw error
            }
        }
    }

    init(_ options: ProcessRequest) throws {
        let isTerminal = HostTerminal.isTerminal(STDIN_FILENO)
        if options.tty, options.interactive, !isTerminal {
            throw Failure(
                "standard input is not a terminal",
                advice: "Leave out -t to pass on what a pipe or file holds.",
                exitCode: 125
            )
        }
        let output = output
        attachment = Containers.Attachment(
            input: options.interactive ? STDIN_FILENO : -1,
            terminal: options.tty && options.interactive ? STDIN_FILENO : -1
        ) { stream, bytes in try output.write(bytes, to: stream) }
    }

    /// The exit status for a command that ended with `status`. Failure (exit code 125) when some of its output could
    /// not be passed on. When the reader of our output has gone, by its own choice, a command that has not noticed
    /// ends as if SIGPIPE had killed it.
    func exitStatus(_ status: ExitStatus) throws -> ExitStatus { try exitStatus(ended: status) ?? status }

    /// Throws the exit code of a container that has ended; returns after a successful detach.
    func end(_ attached: Containers.Attached) throws {
        switch attached {
        case .ended(let status): throw ExitCode(try exitStatus(status).rawValue)
        case .detached:
            if let status = try exitStatus(ended: nil) { throw ExitCode(status.rawValue) }
        }
    }

    private func exitStatus(ended status: ExitStatus?) throws -> ExitStatus? {
        guard let failure = output.failure.withLock({ $0 }) else { return status }
        if failure.errno == .brokenPipe {
            return status.map { $0.rawValue == 0 } ?? true ? ExitStatus.killed(by: SIGPIPE) : status
        }
        throw Failure(
            "write to standard \(failure.stream == .output ? "output" : "error"): \(failure.errno)",
            advice: status.map {
                "The command itself ended with status \($0.rawValue); what it wrote is not whole."
            },
            exitCode: ExitStatus.failed.rawValue
        )
    }

    static func descriptor(of stream: StdioProxy.Stream) -> InheritedFD {
        InheritedFD(stream == .output ? STDOUT_FILENO : STDERR_FILENO)
    }
}

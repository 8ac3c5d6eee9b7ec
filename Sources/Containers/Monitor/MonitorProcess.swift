import Linux
import Runner
import Snapshots
package import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The process that will run a container, and this process's end of the socket between the two.
///
/// It can be started before there is a container, so that its start-up costs the caller no time. Without a container
/// to run, it ends with this object.
package final class MonitorProcess: Sendable {
    /// The descriptor numbers in the monitor.
    static let socketFD: CInt = 3
    static let inputFD: CInt = 4

    let socket: OpenFile
    private let input: Mutex<OpenFile?>
    private let process: HostProcess

    /// `root`: the store's. `interactive`: whether this process will have input for the program.
    package init(root: FilePath, interactive: Bool = false) throws {
        var ends: [CInt] = [-1, -1]
        let result = clinux_socketpair(&ends)
        guard result == 0 else { throw Failure("make a socket", Errno(rawValue: -result)) }
        socket = try MonitorProcess.raised(OwnedFD(adopting: ends[0]))
        var theirs = [try MonitorProcess.raised(OwnedFD(adopting: ends[1]))]
        if interactive {
            let pipe = try Pipe()
            input = Mutex(OpenFile(try pipe.write.duplicate()))
            theirs.append(try MonitorProcess.raised(try pipe.read.duplicate()))
        } else {
            input = Mutex(nil)
        }
        let program = try HostProcess.program().string
        process = try withExtendedLifetime(theirs) {
            try HostProcess(
                [program, "monitor", "--root", root.string] + (interactive ? ["--interactive"] : []),
                descriptors: [nil, nil, nil] + theirs.map { $0.fd.raw },
                inSession: true
            )
        }
    }

    /// The pipe that becomes the program's standard input, which ends when the caller drops the pipe. nil without
    /// input, and the second time.
    func takeInput() -> OpenFile? { input.withLock { $0.take() } }

    /// Makes the monitor run `container`, and returns once the program runs. `window`: the size of the program's
    /// terminal. Throws the error of `Containers.run` in the monitor.
    func run(_ container: Container, window: ProcessStreams.WindowSize?) throws {
        begin(container, window: window)
        try awaitStart()
    }

    /// The same, for a process whose signals `proxy` has taken. Until the program runs, the monitor gets them, and passes
    /// them on at the start; a start that is asked to end three times is killed.
    func run(
        _ container: Container,
        window: ProcessStreams.WindowSize?,
        signals proxy: borrowing StdioProxy
    ) throws {
        begin(container, window: window)
        var impatience = Impatience()
        var last: Signal?
        try proxy.watch(socket.fd.raw, terminal: -1) {
            false
        } signalled: { signal in
            if StdioProxy.ending.contains(signal.rawValue) { last = signal }
            kill(process.pid, impatience.isEnough(with: signal.rawValue) ? SIGKILL : signal.rawValue)
            return true
        }
        do {
            try awaitStart()
        } catch {
            guard let last else { throw error }
            throw Failure("\(error)", exitCode: ExitStatus.killed(by: last.rawValue).rawValue)
        }
    }

    private func begin(_ container: Container, window: ProcessStreams.WindowSize?) {
        // If the monitor is gone, there is no answer either.
        if let window { try? MonitorMessage.send(window, to: socket.fd) }
        try? MonitorMessage.send(.run, Array(container.record.id.utf8), to: socket.fd)
    }

    private func awaitStart() throws {
        let answer = try? MonitorMessage.next(from: socket.fd)
        switch answer?.kind {
        case .running: return
        case .failed:
            let parts = String(decoding: answer?.bytes ?? [], as: UTF8.self).split(
                separator: " ",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, let code = Int32(parts[0]) else { break }
            throw Failure(described: String(parts[1]), exitCode: code)
        default: break
        }
        throw Failure("the container's monitor was killed", exitCode: ExitStatus.failed.rawValue)
    }

    /// Above the descriptor numbers that the monitor gets.
    private static func raised(_ fd: consuming OwnedFD) throws -> OpenFile {
        let raised = try Errno.check(fd.use { fcntl($0, F_DUPFD_CLOEXEC, inputFD + 1) })
        return OpenFile(OwnedFD(adopting: raised))
    }
}

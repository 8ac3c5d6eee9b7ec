package import Linux
package import SystemPackage

import CLinux
import Glibc

/// A running program in a container, a child of this process. Its owner must `wait` for it.
package final class ContainerProcess: Sendable {
    /// In the host's PID namespace.
    package let pid: Int32
    package let pidfd: OwnedFD
    private let terminal: OwnedFD?

    init(pid: Int32, pidfd: consuming OwnedFD, terminal: consuming OwnedFD?) {
        self.pid = pid
        self.pidfd = pidfd
        self.terminal = terminal
    }

    /// The master of the program's terminal, nil where it has none. This object owns it.
    package var terminalFD: CInt? {
        switch terminal {
        case .some(let fd): fd.raw
        case .none: nil
        }
    }

    /// ESRCH once it has ended.
    package func send(_ signal: Signal) throws(Errno) {
        let result = clinux_pidfd_send_signal(pidfd.raw, signal.rawValue)
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    /// Waits for the end and reaps the process; call it once. A process that another one in the container traces
    /// can't be reaped before that lets go of it, which may be never: its exit status is known all the same, and the
    /// host's init reaps it later.
    package func wait() throws(Errno) -> ExitStatus {
        while true {
            var watched = pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0)
            _ = try Errno.retrying { poll(&watched, 1, -1) }
            let status = clinux_reap(pidfd.raw)
            if status >= 0 { return ExitStatus(rawValue: status) }
            guard status == -EAGAIN else { throw Errno(rawValue: -status) }
            if let status = ProcessStatus(of: pid)?.exitStatus { return status }
            usleep(1000)
        }
    }
}

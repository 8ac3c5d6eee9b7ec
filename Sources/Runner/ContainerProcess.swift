package import Linux
package import SystemPackage

import CLinux
import Glibc

/// A running program in a container, a child of this process. Whoever has it must `wait` for it.
package final class ContainerProcess: Sendable {
    /// In the host's pid namespace.
    package let pid: Int32
    package let pidfd: OwnedFD
    private let terminal: OwnedFD?

    init(pid: Int32, pidfd: consuming OwnedFD, terminal: consuming OwnedFD?) {
        self.pid = pid
        self.pidfd = pidfd
        self.terminal = terminal
    }

    /// The master of the program's terminal, nil where it has none. Stays this object's.
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

    /// Waits for the end and reaps: once only.
    package func wait() throws(Errno) -> ExitStatus {
        let status = clinux_wait(pidfd.raw)
        guard status >= 0 else { throw Errno(rawValue: -status) }
        return ExitStatus(rawValue: status)
    }
}

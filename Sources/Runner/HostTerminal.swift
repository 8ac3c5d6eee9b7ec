package import SystemPackage

import CLinux
import Glibc
import Linux

/// The terminal that the user sits at, while a container's terminal is behind it.
package struct HostTerminal: ~Copyable {
    private let fd: CInt
    private var before = termios()

    package static func isTerminal(_ fd: CInt) -> Bool { isatty(fd) == 1 }

    /// The size of the first terminal among standard streams, nil where none is one.
    package static var size: ProcessStreams.WindowSize? {
        for fd: CInt in 0...2 {
            var size = ProcessStreams.WindowSize(rows: 0, columns: 0)
            if clinux_get_window(fd, &size.rows, &size.columns) == 0 { return size }
        }
        return nil
    }

    /// Raw mode until the value ends: every key is the container's. Nothing that can be caught ends the
    /// process in between, since Relay takes the signals.
    package init(raw fd: CInt) throws(Errno) {
        self.fd = fd
        try Errno.check(tcgetattr(fd, &before))
        var raw = before
        cfmakeraw(&raw)
        try Errno.check(tcsetattr(fd, TCSADRAIN, &raw))
    }

    deinit {
        var before = before
        tcsetattr(fd, TCSADRAIN, &before)
    }
}

import SystemPackage

import CLinux
import Glibc
import Linux

/// The terminal that the user sits at, while a container's terminal is behind it.
///
/// The kernel stops a job in the background that touches its terminal (SIGTTOU, SIGTTIN). That may happen before there
/// is a program, and not while there is one: whoever stops it has this process as its parent, and waits for it.
package struct HostTerminal: ~Copyable {
    private let fd: CInt
    /// As it was, once it is raw.
    private var before: termios?

    package static func isTerminal(_ fd: CInt) -> Bool { isatty(fd) == 1 }

    /// The size of the first terminal among standard streams, nil where none is one.
    package static var size: ProcessStreams.WindowSize? {
        for fd: CInt in 0...2 {
            var size = ProcessStreams.WindowSize(rows: 0, columns: 0)
            if clinux_get_window(fd, &size.rows, &size.columns) == 0 { return size }
        }
        return nil
    }

    /// Whether another job has our terminal, this one being in the background.
    static func isAnothers(_ fd: CInt) -> Bool {
        let group = tcgetpgrp(fd)
        return group > 0 && group != getpgrp()
    }

    /// Before a program is started that will have this terminal, -1 for none: in the background this process sleeps here
    /// until it is brought to the foreground.
    package static func comeForward(_ fd: CInt) {
        // Where a caller's caller has it blocked, the kernel would let us through.
        var stopping = sigset_t()
        var before = sigset_t()
        sigemptyset(&stopping)
        sigaddset(&stopping, SIGTTOU)
        pthread_sigmask(SIG_UNBLOCK, &stopping, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var same = termios()
        if tcgetattr(fd, &same) == 0 { _ = try? Errno.retrying { tcsetattr(fd, TCSADRAIN, &same) } }
    }

    /// -1 for none: then nothing is done.
    init(_ fd: CInt) { self.fd = fd }

    /// Raw mode until the value ends: every key is the container's. In the background it is somebody else's, and stays as
    /// it is: to be called again when this process goes on. Nothing that can be caught ends the process in between, since
    /// Relay takes the signals.
    mutating func makeRaw() {
        guard fd >= 0, !HostTerminal.isAnothers(fd) else { return }
        var found = termios()
        guard tcgetattr(fd, &found) == 0 else { return }
        var raw = before ?? found
        before = raw
        cfmakeraw(&raw)
        tcsetattr(fd, TCSADRAIN, &raw)
    }

    deinit {
        guard var before, !HostTerminal.isAnothers(fd) else { return }
        tcsetattr(fd, TCSADRAIN, &before)
    }
}

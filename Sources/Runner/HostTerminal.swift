import SystemPackage

import CLinux
import Glibc
import Linux

/// The user's terminal, while it shows a container's terminal.
///
/// The kernel stops a background job that touches its terminal (SIGTTOU, SIGTTIN). That may happen before there is a
/// program, but not while there is one, because its parent is this process, which waits for it.
package struct HostTerminal: ~Copyable {
    private let fd: CInt
    /// The settings before raw mode; nil unless it is raw.
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

    /// Whether another job has the terminal and this one is in the background.
    static func isAnothers(_ fd: CInt) -> Bool {
        let group = tcgetpgrp(fd)
        return group > 0 && group != getpgrp()
    }

    /// Called before a program is started that will have this terminal, -1 for none: in the background this process
    /// stops here until it is brought to the foreground.
    package static func comeForward(_ fd: CInt) {
        // If a caller has blocked the signal, the kernel would not stop this process.
        var stopping = sigset_t()
        var before = sigset_t()
        sigemptyset(&stopping)
        sigaddset(&stopping, SIGTTOU)
        pthread_sigmask(SIG_UNBLOCK, &stopping, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var same = termios()
        if tcgetattr(fd, &same) == 0 { _ = try? Errno.retrying { tcsetattr(fd, TCSADRAIN, &same) } }
    }

    /// -1 for no terminal: all calls do nothing then.
    init(_ fd: CInt) { self.fd = fd }

    /// Switches to raw mode until the value ends, so that every key goes to the container. In the background the
    /// terminal belongs to another job and is left alone: call this again when the process continues. No signal that
    /// can be caught ends the process in between, because StdioProxy takes them.
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

package import Linux
import SystemPackage

import CLinux
import Glibc

extension StdioProxy {
    /// For a program that another process runs: calls `ready` whenever `source` can be read, and `signalled` with each
    /// signal that this process gets, until one of them returns false. `terminal`: raw until then; -1 for none. `begun` is called once it is raw: a
    /// read(2) that has begun before can take the change of modes for the end of input.
    package func watch(
        _ source: CInt,
        terminal: CInt,
        begun: () -> Void = {},
        ready: () throws -> Bool,
        signalled: (Signal) -> Bool
    ) throws {
        var host = HostTerminal(terminal)
        host.makeRaw()
        begun()
        var watched = [
            pollfd(fd: source, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            try naming("poll") { _ = try Errno.retrying { poll(&watched, 2, -1) } }
            if watched[1].revents != 0 {
                let signal = clinux_next_signal(signals.raw)
                if signal == SIGCONT { host.makeRaw() }
                if signal > 0, !signalled(Signal(rawValue: signal)) { return }
            }
            if watched[0].revents != 0, try !ready() { return }
        }
    }

    /// Passes what is read from `source` to `sink`, on a detached thread, to the end or until that throws.
    package func read(_ source: CInt, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void) {
        CopyThread { CopyThread.copy(from: source, to: sink) }.detach()
    }
}

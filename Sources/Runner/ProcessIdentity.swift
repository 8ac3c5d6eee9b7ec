package import Linux
package import SystemPackage

import CLinux
import Glibc

/// A process that can be told from a later one with the same PID.
package struct ProcessIdentity: Codable, Sendable, Equatable {
    package var pid: Int32
    /// Its start in clock ticks since boot: /proc/<pid>/stat.
    package var started: UInt64

    package init(pid: Int32, started: UInt64) {
        self.pid = pid
        self.started = started
    }

    /// nil when there is no such process.
    package init?(of pid: Int32) {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        let pidfd = OwnedFD(adopting: raw)
        guard let status = ProcessStatus(of: pid), !pidfd.hasEnded else { return nil }
        self.pid = pid
        started = status.started
    }

    /// Of a child that was not waited for, whose number is its own also when it has ended. nil without /proc.
    package init?(ofChild pid: Int32) {
        guard let status = ProcessStatus(of: pid) else { return nil }
        self.pid = pid
        started = status.started
    }

    /// A pidfd; nil when it has ended.
    package func open() -> OwnedFD? {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        let pidfd = OwnedFD(adopting: raw)
        // Checked after the opening, when the number can't go to another process. The state `Z` is not the end: the
        // first of several threads may have ended alone.
        guard ProcessStatus(of: pid)?.started == started, !pidfd.hasEnded else { return nil }
        return pidfd
    }

    /// ESRCH when it has ended.
    package func send(_ signal: Signal) throws(Errno) {
        guard let pidfd = open() else { throw .noSuchProcess }
        let result = clinux_pidfd_send_signal(pidfd.raw, signal.rawValue)
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    /// Whether it ended within `milliseconds`.
    package func waitForEnd(milliseconds: Int32) -> Bool {
        guard let pidfd = open() else { return true }
        var watched = pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0)
        let ready = try? Errno.retrying { poll(&watched, 1, milliseconds) }
        return ready == 1
    }
}

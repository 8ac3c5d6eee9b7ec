package import Linux
import SystemPackage

/// Processes that keep a container from ending after everything in it has been killed.
package enum Stragglers {
    /// Process 1 of a PID namespace ends after all others in it were waited for. The parent of a process that
    /// entered it is outside, and may be stopped (Ctrl-Z): sends `signal` to each such parent, SIGCONT, or SIGKILL
    /// where that did not help.
    ///
    /// `leader`: process 1. Looks at every process.
    package static func send(_ signal: Signal, toParentsOfThoseWith leader: ProcessIdentity) {
        // Asked while the number can't be another's: it is its own as long as it has not ended.
        guard let namespace = namespace(of: leader.pid), leader.open() != nil else { return }
        for pid in Processes.all {
            guard let status = ProcessStatus(of: pid), status.hasEnded, status.parent > 1,
                self.namespace(of: pid) == namespace, let parent = ProcessIdentity(of: status.parent)
            else { continue }
            send(signal, ifStopped: parent)
        }
    }

    /// Sends `signal` to a process only if it is stopped: others are at work.
    package static func send(_ signal: Signal, ifStopped process: ProcessIdentity) {
        guard let status = ProcessStatus(of: process.pid), status.isStopped else { return }
        try? process.send(signal)
    }

    private static func namespace(of pid: Int32) -> [UInt8]? { FilePath("/proc/\(pid)/ns/pid").target }
}
